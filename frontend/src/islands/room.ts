import { Problem } from "../lib/api";
import { island, toast } from "../lib/dom";
import { readConfig, textOf } from "../room/config";
import type { RoomConfig } from "../room/config";
import { testLine } from "../room/line";
import { hasTwoCameras, LocalMedia } from "../room/media";
import type { Kind } from "../room/media";
import { View } from "../room/view";
import { Visit } from "../room/visit";

island("room", (root) => void start(root));

async function start(root: HTMLElement): Promise<void> {
  const config = readConfig(root);
  const view = new View(root, config);
  let visit: Visit | null = null;
  const media = new LocalMedia((changed) => {
    view.own(changed);
    visit?.mediaChanged();
  });
  view.show("ready");
  view.on("enter", () => enter());
  view.on("leave", () => visit?.leave());
  view.on("audio", () => toggle("audio"));
  view.on("video", () => toggle("video"));
  view.on("flip", async () => view.trouble(troubleOf("video", await media.flip())));
  view.on("finish", () => view.dialog("finish")?.showModal());
  view.on("finish-no", () => view.dialog("finish")?.close());
  view.on("finish-yes", () => finish());
  view.on("again", () => location.reload());

  async function toggle(kind: Kind): Promise<void> {
    view.trouble(troubleOf(kind, await media.toggle(kind)));
  }

  async function enter(): Promise<void> {
    view.enable("enter", false);
    visit = new Visit(config, view, media);
    try {
      await visit.enter();
      void keepAwake();
    } catch (error) {
      visit = null;
      view.enable("enter", true);
      toast(refusalText(config, error), "error");
    }
  }

  async function finish(): Promise<void> {
    view.dialog("finish")?.close();
    try {
      await visit?.finish();
    } catch (error) {
      toast(refusalText(config, error), "error");
    }
  }

  view.trouble(await media.open());
  view.own(media);
  if (await hasTwoCameras()) view.offer("flip", true);
  view.line("line-testing");
  view.line(`line-${await testLine(config.lineUrl, media.tracks)}`);
}

function troubleOf(kind: Kind, trouble: Awaited<ReturnType<LocalMedia["toggle"]>>): Parameters<View["trouble"]>[0] {
  return trouble ? { [kind]: trouble } : {};
}

function refusalText(config: RoomConfig, error: unknown): string {
  return (error instanceof Problem && error.body.detail) || textOf(config, "failed");
}

/** A phone that goes to sleep drops the call. */
async function keepAwake(): Promise<void> {
  const hold = () => navigator.wakeLock?.request("screen").catch(() => undefined);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void hold());
  await hold();
}
