"""Every table of the product in one place, for migrations and for tests."""

from sqlalchemy import MetaData

from notifications import models as notification_tables
from telehealth.accounts import models as _accounts
from telehealth.admission import models as _admission
from telehealth.anomalies import models as _anomalies
from telehealth.attendance import models as _attendance
from telehealth.audit import models as _audit
from telehealth.boards import models as _boards
from telehealth.booking import models as _booking
from telehealth.calendars import models as _calendars
from telehealth.closures import models as _closures
from telehealth.consultations import models as _consultations
from telehealth.core.orm import Base
from telehealth.delegations import models as _delegations
from telehealth.directory import models as _directory
from telehealth.encounters import models as _encounters
from telehealth.invitations import models as _invitations
from telehealth.jobs import models as _jobs
from telehealth.kiosk import models as _kiosk
from telehealth.nodes import models as _nodes
from telehealth.passkeys import models as _passkeys
from telehealth.patients import models as _patients
from telehealth.payments import models as _payments
from telehealth.queueing import models as _queueing
from telehealth.referrals import models as _referrals
from telehealth.scheduling import models as _scheduling
from telehealth.visits import models as _visits
from telehealth.waitlist import models as _waitlist
from telehealth.webhooks import models as _webhooks

_REGISTERED = (
    _accounts,
    _admission,
    _anomalies,
    _attendance,
    _audit,
    _boards,
    _booking,
    _closures,
    _calendars,
    _consultations,
    _delegations,
    _directory,
    _encounters,
    _invitations,
    _jobs,
    _kiosk,
    _nodes,
    _passkeys,
    _patients,
    _payments,
    _queueing,
    _referrals,
    _scheduling,
    _visits,
    _waitlist,
    _webhooks,
)

METADATAS: tuple[MetaData, ...] = (Base.metadata, notification_tables.Base.metadata)
