"""The record that is left keeps what only its double knew."""

from sqlalchemy import Engine, text

from telehealth.core.principal import SYSTEM
from telehealth.core.uow import system_unit_of_work
from telehealth.patients import services
from telehealth.patients.models import Patient
from telehealth.patients.queries import patient
from telehealth.patients.services import NewPatient
from telehealth.settings import Settings
from tests.conftest import MovableClock


def test_what_the_kept_record_lacks_comes_along_and_what_it_has_stays(
    engine: Engine, settings: Settings, clock: MovableClock
):
    cipher = settings.cipher
    with system_unit_of_work(engine) as session:
        mother, kept, merged = (
            services.register(session, SYSTEM, new, now=clock.now, cipher=cipher)
            for new in (
                NewPatient("Trần Thị Lan", birth_year=1980),
                NewPatient("Trần Gia Bảo", birth_year=2015, address="12 Lê Lợi"),
                NewPatient(
                    "Trần Gia Bảo",
                    birth_year=2015,
                    address="9 Hùng Vương",
                    phone="0903000111",
                    email="b@example.com",
                ),
            )
        )
        session.execute(
            text("UPDATE patient SET guardian_id = :one WHERE id = :two"), {"one": mother, "two": merged}
        )
        session.expire_all()
        services.fill_contact(session, kept, merged, now=clock.now, cipher=cipher)
        session.expire_all()
        view = patient(session, kept, cipher)
        row = session.get_one(Patient, kept)
        email = cipher.open_text(row.email_sealed, f"patient.email:{kept}")
        index = session.get_one(Patient, merged).phone_index
    assert view is not None
    assert (view.phone, view.address, view.guardian_id) == ("+84903000111", "12 Lê Lợi", mother)
    assert (email, row.phone_index) == ("b@example.com", index)
