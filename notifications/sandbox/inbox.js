"use strict";
// What is on the page stays: a message is drawn once, and afterwards only the line about its state changes.
const wanted = new URLSearchParams(location.search).get("to") || "";
const LOOK_EVERY_MS = 1000;
const SHOWN_BANNERS = 3;
const STATES = {
  accepted: "Đang chuyển", queued: "Đang chuyển", scheduled: "Hẹn giờ gửi", sent: "Đã gửi", delivered: "Đã nhận",
  undelivered: "Không đến được", failed: "Không đến được", rejected: "Bị từ chối", waiting: "Chờ máy bật",
  replaced: "Đã thay bằng thông báo mới hơn", expired: "Hết hạn trước khi đến",
};
const FAILED = new Set(["undelivered", "failed", "rejected", "expired"]);
const clock = new Intl.DateTimeFormat("vi-VN", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", day: "2-digit", month: "2-digit", timeZone: "Asia/Ho_Chi_Minh",
});
const places = new Map(); // recipient: { section, list, ... }
const drawn = new Map(); // message reference: { node, state }
let tag = "";
let known = "";
let first = true;

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
function link(url, text, className) {
  const made = element("a", className, text);
  if (/^https?:\/\//.test(url)) { made.href = url; made.target = "_blank"; made.rel = "noopener"; }
  return made;
}
function lively(text) {
  return text.split(/(https?:\/\/\S*[^\s.,;:!?)]|\b\d{6}\b)/).filter(Boolean).map((part) => {
    if (/^https?:\/\//.test(part)) return link(part, part);
    if (/^\d{6}$/.test(part)) return element("strong", "code", part);
    return part;
  });
}
function national(number) {
  return number.replace(/^\+84/, "0").replace(/^(\d{4})(\d{3})(\d+)$/, "$1 $2 $3");
}
function at(message) {
  return clock.format(new Date(message.at));
}

function state(message) {
  const size = message.channel === "sms" && message.segments > 1 ? ` · ${message.segments} đoạn` : "";
  const late = message.late ? " · nhà mạng nhận trễ" : "";
  const code = message.error_code === null ? "" : ` (mã ${message.error_code})`;
  const told = message.incoming ? "Bạn đã gửi" : (STATES[message.status] || message.status) + code;
  const failed = FAILED.has(message.status) ? " failed" : "";
  const mark = message.incoming ? "" : ` ${message.status}`;
  return element("p", `told${mark}${failed}`, `${told} · ${at(message)}${size}${late}`);
}

function zaloContent(message) {
  const bubble = element("div", "bubble");
  if (message.title) bubble.append(element("h4", "", message.title));
  const paragraphs = message.paragraphs.length ? message.paragraphs : [message.text];
  paragraphs.forEach((text) => bubble.append(element("p", "", ...lively(text))));
  if (message.rows.length) {
    const table = element("dl");
    message.rows.forEach(([label, value]) => table.append(element("dt", "", label), element("dd", "", value)));
    bubble.append(table);
  }
  if (message.button.length) bubble.append(link(message.button[1], message.button[0], "action"));
  return bubble;
}
function letterInThread(message) {
  const zalo = message.channel === "zalo";
  const kind = message.incoming ? "sent-in" : message.title ? "template" : "";
  const from = message.incoming ? "Nhắn qua Zalo" : `${zalo ? "Zalo" : "SMS"} · ${message.sender}`;
  return element("li", `${zalo ? "zalo" : "sms"} ${kind}`,
    element("p", "from", from),
    zalo ? zaloContent(message) : element("div", "bubble", ...lively(message.text)),
    state(message));
}
function banner(message) {
  const made = element("li", `banner ${message.status}`, element("div", "head", element("span", "", "Lịch khám"), state(message)));
  if (message.title) made.append(element("strong", "", message.title));
  const body = element("div", "", ...lively(message.text));
  if (message.button.length) body.append(" ", link(message.button[1], message.button[0]));
  made.append(body);
  return made;
}
function mail(message) {
  const letter = element("div", "letter", element("div", "words", ...lively(message.text)));
  const { html, headers } = message.details;
  if (html) letter.append(formatted(html));
  letter.append(element("details", "", element("summary", "", "Phần đầu thư"), headerTable(headers || [])), state(message));
  const summary = element("summary", "",
    element("strong", "", message.title || "(không có tiêu đề)"),
    element("span", "when", at(message)),
    element("span", "by", message.sender));
  return element("li", "", element("details", "mail", summary, letter));
}
function formatted(html) {
  const box = element("details", "", element("summary", "", "Xem bản có định dạng"));
  box.addEventListener("toggle", () => {
    if (!box.open || box.querySelector("iframe")) return;
    const frame = element("iframe");
    frame.title = "Bản có định dạng của thư";
    frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox"); // no scripts, no forms, no origin
    frame.srcdoc = `<base target="_blank">${html}`;
    box.append(frame);
  });
  return box;
}
function headerTable(headers) {
  const body = element("tbody");
  headers.forEach(([name, value]) => {
    const head = element("th", "", name);
    head.scope = "row";
    body.append(element("tr", "", head, element("td", "", value)));
  });
  return element("table", "", body);
}

async function happens(to, event, details = {}) {
  await fetch("/_sandbox/zalo/events", { method: "POST", body: JSON.stringify({ event, to, ...details }) });
  await look();
}
function zaloBar(to) {
  const follow = element("button", "", "Theo dõi");
  const share = element("button", "quiet", "Chia sẻ số điện thoại");
  const words = element("input");
  words.setAttribute("aria-label", `Nhắn cho Sở Y tế từ số ${national(to)}`);
  words.placeholder = "Nhắn cho Sở Y tế…";
  words.autocomplete = "off";
  const form = element("form", "", words, element("button", "", "Gửi"));
  follow.addEventListener("click", () => happens(to, follow.dataset.follows ? "unfollow" : "follow"));
  share.addEventListener("click", () => happens(to, "user_submit_info"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = words.value.trim();
    if (text) { words.value = ""; happens(to, "user_send_text", { text }); }
  });
  const bar = element("div", "zalo-bar", element("div", "row", follow, share), form);
  return { bar, follow };
}

function phone(to) {
  const count = element("small");
  const banners = element("ol");
  const more = element("p");
  const lock = element("div", "lock", element("p", "", "Màn hình khoá"), banners, more);
  const list = element("ol", "thread");
  list.tabIndex = 0;
  list.setAttribute("aria-label", `Tin nhắn của số ${national(to)}`);
  const { bar, follow } = zaloBar(to);
  const section = element("article", "phone", element("h3", "", national(to), count), lock, list, bar);
  document.getElementById("phones").prepend(section);
  return { section, list, banners, more, lock, bar, follow, count, messages: 0, pushed: [] };
}
function mailbox(to) {
  const list = element("ol", "mails");
  list.tabIndex = 0;
  list.setAttribute("aria-label", `Thư của ${to}`);
  document.getElementById("mailboxes").prepend(element("article", "mailbox", element("h3", "", to), list));
  return { list };
}
function place(to) {
  if (!places.has(to)) places.set(to, to.includes("@") ? mailbox(to) : phone(to));
  return places.get(to);
}

function put(message) {
  const earlier = drawn.get(message.ref);
  if (earlier) {
    if (earlier.status !== message.status) restate(earlier, message);
    return;
  }
  const node = make(message);
  if (!first) node.classList.add("new");
  drawn.set(message.ref, { node, status: message.status });
}
function restate(earlier, message) {
  earlier.status = message.status;
  const line = earlier.node.querySelector(".told");
  if (line) line.replaceWith(state(message));
  if (message.channel === "push" && !message.to.startsWith("push:")) {
    earlier.node.className = `banner ${message.status}`;
    tidyBanners(place(message.to));
  }
}
function make(message) {
  if (message.to.startsWith("push:")) {
    const node = element("li", "", `${message.to.slice(5)} · ${message.details.bytes} byte · ${at(message)}`);
    document.getElementById("browsers").prepend(node);
    return node;
  }
  const there = place(message.to);
  if (message.channel === "email") {
    const node = mail(message);
    there.list.prepend(node);
    return node;
  }
  there.messages += 1;
  if (message.channel === "push") {
    const node = banner(message);
    there.banners.prepend(node);
    tidyBanners(there);
    return node;
  }
  const atEnd = there.list.scrollHeight - there.list.scrollTop - there.list.clientHeight < 40;
  const node = letterInThread(message);
  there.list.append(node);
  if (atEnd) there.list.scrollTop = there.list.scrollHeight;
  return node;
}
function tidyBanners(there) {
  // A phone shows neither what was replaced on the way nor what ran out, and only so many at once.
  const visible = [...there.banners.children].filter((node) => !/replaced|expired/.test(node.className));
  [...there.banners.children].forEach((node) => { node.hidden = visible.indexOf(node) < 0 || visible.indexOf(node) >= SHOWN_BANNERS; });
  const hidden = visible.length - SHOWN_BANNERS;
  there.more.hidden = hidden <= 0;
  there.more.textContent = `và ${hidden} thông báo cũ hơn`;
}

function furnish(people) {
  for (const [to, there] of places) {
    if (to.includes("@")) continue;
    const person = people[to];
    there.count.textContent = `${there.messages} tin`;
    there.lock.hidden = !there.banners.childElementCount;
    there.bar.hidden = !person || !person.zalo;
    if (!person) continue;
    there.follow.textContent = person.follows ? "Bỏ theo dõi" : "Theo dõi";
    there.follow.className = person.follows ? "quiet" : "";
    there.follow.dataset.follows = person.follows ? "1" : "";
  }
  for (const board of ["phones", "mailboxes", "browsers"]) {
    const node = document.getElementById(board);
    node.closest("section").hidden = !node.childElementCount;
  }
  const empty = document.getElementById("empty");
  empty.hidden = places.size > 0 || drawn.size > 0;
  empty.textContent = wanted
    ? "Số hoặc địa chỉ này chưa nhận tin nào."
    : "Chưa có tin nhắn nào. Hãy đặt một lịch khám hoặc đăng nhập bằng số điện thoại, rồi quay lại đây.";
}
function announce(items) {
  const fresh = items.filter((message) => !drawn.has(message.ref) && !message.incoming);
  if (first || !fresh.length) return;
  document.getElementById("news").textContent = `Có ${fresh.length} tin mới, mới nhất cho ${national(fresh[0].to)}.`;
}

async function look() {
  const query = new URLSearchParams({ to: wanted });
  const response = await fetch(`/_sandbox/inbox?${query}`, { cache: "no-store", headers: { "If-None-Match": tag } });
  if (response.status !== 200) return;
  tag = response.headers.get("ETag");
  const { items, people, life } = await response.json();
  if (known && known !== life) { location.reload(); return; } // the ledger was emptied, or another one began
  known = life;
  announce(items);
  Object.keys(people).reverse().forEach(place);
  [...items].reverse().forEach(put);
  furnish(people);
  if (first) places.forEach(({ list, bar }) => { if (bar) list.scrollTop = list.scrollHeight; });
  first = false;
}
async function watch() {
  try { if (!document.hidden) await look(); } catch { /* the sandbox restarts: look again */ }
  setTimeout(watch, LOOK_EVERY_MS);
}
document.getElementById("to").value = wanted;
document.getElementById("all").hidden = !wanted;
watch();
