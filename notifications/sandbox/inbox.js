"use strict";
const wanted = new URLSearchParams(location.search).get("to") || "";
document.getElementById("to").value = wanted;
document.getElementById("all").hidden = !wanted;
const states = {
  accepted: "Đang chuyển", queued: "Đang chuyển", sent: "Đã gửi",
  delivered: "Đã nhận", undelivered: "Không đến được", failed: "Không đến được",
};
const clock = new Intl.DateTimeFormat("vi-VN", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", day: "2-digit", month: "2-digit", timeZone: "Asia/Ho_Chi_Minh",
});
let seen = "";

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
function link(url, text, className) {
  const made = element("a", className, text);
  if (/^https?:/.test(url)) { made.href = url; made.target = "_blank"; made.rel = "noopener"; }
  return made;
}
function lively(text) {
  return text.split(/(https?:\/\/\S+|\b\d{6}\b)/).filter(Boolean).map((part) => {
    if (/^https?:/.test(part)) return link(part, part);
    if (/^\d{6}$/.test(part)) return element("strong", "code", part);
    return part;
  });
}
function zaloBubble(message) {
  const bubble = element("div", "bubble", element("h3", "", message.title));
  message.paragraphs.forEach((text) => bubble.append(element("p", "", ...lively(text))));
  if (message.rows.length) {
    const table = element("dl", "");
    message.rows.forEach(([label, value]) => table.append(element("dt", "", label), element("dd", "", value)));
    bubble.append(table);
  }
  if (message.button.length) bubble.append(link(message.button[1], message.button[0], "action"));
  return bubble;
}
function bubble(message) {
  const zalo = message.channel === "zalo";
  const told = states[message.status] || message.status;
  const size = zalo ? "" : ` · ${message.segments} đoạn SMS`;
  const failed = message.error_code || message.status === "undelivered";
  return element("li", zalo ? "zalo" : "sms",
    element("p", "from", `${zalo ? "Zalo" : "SMS"} · ${message.sender}`),
    zalo ? zaloBubble(message) : element("div", "bubble", ...lively(message.text)),
    element("p", failed ? "told failed" : "told", `${told} · ${clock.format(new Date(message.at))}${size}`));
}
function phone(number, messages) {
  const national = number.replace(/^\+84/, "0").replace(/(\d{4})(\d{3})(\d+)/, "$1 $2 $3");
  const count = element("small", "", `${messages.length} tin`);
  const thread = element("ol", "thread", ...messages.map(bubble));
  return element("section", "phone", element("h2", "", national, count), thread);
}
function draw(items) {
  const phones = new Map();
  for (const message of items) {
    if (!phones.has(message.to)) phones.set(message.to, []);
    phones.get(message.to).push(message);
  }
  const board = document.getElementById("phones");
  const drawn = [...phones].map(([number, messages]) => phone(number, messages));
  board.replaceChildren(...(drawn.length ? drawn : [element("p", "empty",
    wanted ? "Số này chưa nhận tin nào." : "Chưa có tin nhắn nào. Hãy đặt một lịch khám hoặc đăng nhập bằng số điện thoại, rồi quay lại đây.")]));
}
async function look() {
  try {
    const query = wanted ? `?to=${encodeURIComponent(wanted)}` : "";
    const text = await (await fetch(`/_sandbox/messages${query}`)).text();
    if (text !== seen) { seen = text; draw(JSON.parse(text).items); }
  } catch { /* the sandbox restarts: look again */ }
  setTimeout(look, 1500);
}
look();
