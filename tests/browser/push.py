"""A browser as if it had subscribed: no push service can be reached from a test."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.notifications.push_service import MadeUpBrowser

# Only subscribing is made up; worker, permission, push event and notification are the browser's own.
_SUBSCRIBING = """
({ endpoint, keys }) => {
  const place = "made-up-subscription";
  const made = () => ({
    endpoint,
    options: { applicationServerKey: Uint8Array.from(JSON.parse(localStorage.getItem(place))).buffer },
    toJSON: () => ({ endpoint, expirationTime: null, keys }),
    unsubscribe: async () => (localStorage.removeItem(place), true),
  });
  PushManager.prototype.subscribe = async (options) => {
    localStorage.setItem(place, JSON.stringify([...options.applicationServerKey]));
    return made();
  };
  PushManager.prototype.getSubscription = async () => (localStorage.getItem(place) ? made() : null);
  const ask = Notification.requestPermission;
  window.asked = 0;
  Notification.requestPermission = (...given) => ((window.asked += 1), ask.apply(Notification, given));
}
"""


def make_up_subscribing(context: BrowserContext, browser: MadeUpBrowser) -> None:
    given = json.dumps({"endpoint": browser.endpoint, "keys": browser.keys})
    context.add_init_script(f"({_SUBSCRIBING})({given})")


@contextmanager
def worker_of(page: Page, origin: str) -> Iterator["Worker"]:
    """The page's service worker, as DevTools has it."""
    session = page.context.new_cdp_session(page)
    found: dict[str, str] = {}

    def noted(event: dict[str, Any]) -> None:
        for each in event["registrations"]:
            if each["scopeURL"] == f"{origin}/" and not each["isDeleted"]:
                found["id"] = each["registrationId"]

    session.on("ServiceWorker.workerRegistrationUpdated", noted)
    session.send("ServiceWorker.enable")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    while "id" not in found:
        page.wait_for_timeout(20)
    yield Worker(page, origin, found["id"], session)
    session.detach()


class Worker:
    """Delivers what a push service would, and tells what the person sees."""

    def __init__(self, page: Page, origin: str, registration: str, session: Any) -> None:
        self._page, self._origin, self._registration, self._session = page, origin, registration, session
        self._told: dict[str, str] = {}

    def deliver(self, payload: str) -> None:
        self._told = {"origin": self._origin, "registrationId": self._registration, "data": payload}
        self._session.send("ServiceWorker.deliverPushMessage", self._told)

    def notices(self) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self._page.evaluate(
            """async () => {
              const worker = await navigator.serviceWorker.ready;
              const notices = await worker.getNotifications();
              return notices.map(({ title, body, tag, data, icon }) => ({ title, body, tag, data, icon }));
            }"""
        )
        return shown

    def until_shown(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many notices. On a busy machine the browser loses what its tools deliver now and then:
        what shows nothing at all for ten seconds is delivered once more."""
        again = time.monotonic() + 10
        while len(shown := self.notices()) < count:
            if not shown and time.monotonic() > again:
                again = time.monotonic() + 10
                self._session.send("ServiceWorker.deliverPushMessage", self._told)
            self._page.wait_for_timeout(20)
        return shown

    def give_up(self, old: MadeUpBrowser, new: MadeUpBrowser) -> None:
        """Have the push service exchange the subscription, as it may at any time."""
        given = {"endpoint": new.endpoint, "keys": new.keys}
        self._script().evaluate(
            """async ([endpoint, given]) => {
              const change = new ExtendableEvent("pushsubscriptionchange");
              change.oldSubscription = { endpoint };
              change.newSubscription = { toJSON: () => given };
              const done = new Promise((resolve) => (change.waitUntil = (work) => work.then(resolve)));
              self.dispatchEvent(change);
              await done;
            }""",
            [old.endpoint, given],
        )

    def _script(self) -> Any:
        return next(each for each in self._page.context.service_workers if each.url.endswith("/sw.js"))

    def tap(self) -> str:
        """Tap the one notice; returns the address that opens. A real tap needs a screen to tap on."""
        opened: str = self._script().evaluate(
            """async () => {
              const [notification] = await self.registration.getNotifications();
              const opened = new Promise((resolve) => {
                self.clients.openWindow = async (url) => resolve(url);
              });
              self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
              return opened;
            }"""
        )
        return opened
