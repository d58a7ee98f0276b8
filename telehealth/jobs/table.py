"""All jobs, and how often each runs. Add a file with `run(work, now)` and a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from telehealth.jobs import (
    accounts,
    attendance,
    claimed_failures,
    closures,
    contact_changes,
    deferred_requests,
    disruptions,
    ended_rooms,
    heartbeat,
    horizon,
    message_alarms,
    message_purge,
    message_templates,
    nodes,
    of_age,
    overdue_holds,
    provider_shares,
    provider_upkeep,
    releases,
    stored_answers,
    unpaid_deposits,
    video_invitations,
    visit_invitations,
    visits,
    waitlist,
    web_numbers,
    webhooks,
    zalo_events,
)
from telehealth.jobs.work import Work


@dataclass(frozen=True)
class Job:
    """Runs at the clock's start and then every `seconds`; late runs are merged into one."""

    name: str
    seconds: int
    run: Callable[[Work, datetime], None]


AT_A_NODE: tuple[Job, ...] = (
    Job("heartbeat", 10, heartbeat.run),
    Job("node-round", 5, nodes.run),
    Job("visit-events", 60, visits.retry),
    Job("visits-of-yesterday", 900, visits.end_day),
    Job("web-numbers", 60, web_numbers.run),
    Job("accounts", 3600, accounts.run),
    Job("stored-answers", 3600, stored_answers.run),
)
"""What the worker of a node does: messages, reminders and bookings are the centre's."""

JOBS: tuple[Job, ...] = (
    Job("heartbeat", 10, heartbeat.run),
    Job("zalo-events", 3, zalo_events.run),
    Job("webhook-events", 2, webhooks.fan_out),
    Job("webhooks", 2, webhooks.run),
    Job("video-invitations", 15, video_invitations.run),
    Job("claimed-failures", 15, claimed_failures.run),
    Job("contact-changes", 15, contact_changes.run),
    Job("releases", 2, releases.run),
    Job("attendance", 30, attendance.run),
    Job("waitlist", 15, waitlist.run),
    Job("closures", 3, closures.run),
    Job("disruptions", 30, disruptions.run),
    Job("deposits-due", 10, unpaid_deposits.tell),
    Job("unpaid-deposits", 60, unpaid_deposits.run),
    Job("visit-events", 60, visits.retry),
    Job("visits-of-yesterday", 900, visits.end_day),
    Job("ended-rooms", 60, ended_rooms.run),
    Job("overdue-holds", 60, overdue_holds.run),
    Job("deferred-requests", 60, deferred_requests.run),
    Job("web-numbers", 60, web_numbers.run),
    Job("horizon", 3600, horizon.run),
    Job("accounts", 3600, accounts.run),
    Job("of-age", 3600, of_age.run),
    Job("visit-invitations", 30, visit_invitations.run),
    Job("provider-shares", 30, provider_shares.run),
    Job("provider-upkeep", 600, provider_upkeep.run),
    Job("message-alarms", 30, message_alarms.run),
    Job("message-templates", 900, message_templates.run),
    Job("message-purge", 3600, message_purge.run),
    Job("stored-answers", 3600, stored_answers.run),
    Job("webhook-purge", 3600, webhooks.forget),
)
