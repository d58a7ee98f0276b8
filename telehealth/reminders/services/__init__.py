"""Messages whose time comes while nobody asks, and what becomes of those that wait."""

from telehealth.reminders.services.contacts import follow_contact_changes
from telehealth.reminders.services.disruptions import follow_rosters
from telehealth.reminders.services.means import Means
from telehealth.reminders.services.video import invite_to_video

__all__ = ["Means", "follow_contact_changes", "follow_rosters", "invite_to_video"]
