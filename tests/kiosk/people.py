"""People with cards, known somewhere in the province."""

from dataclasses import dataclass
from uuid import UUID

from telehealth.core.crypto import FieldCipher
from telehealth.core.principal import SYSTEM
from telehealth.patients import services as patients
from telehealth.patients.services import NewPatient
from tests.conftest import MONDAY_8AM
from tests.queueing.hospital import Begin, Hospital

LAN_ID = "077152001234"
LAN_CARD = f"{LAN_ID}|271234567|Nguyễn Thị Lan|05091952|Nữ|12 Trần Phú, Phường 1, Vũng Tàu|10052021"
STRANGER_CARD = "077095004321||Trần Văn Khách|11021995|Nam|5 Lê Lợi, Phường 2, Vũng Tàu|10052021"


@dataclass(frozen=True)
class Town:
    """Registers people; every method commits."""

    begin: Begin
    cipher: FieldCipher

    def lan(self, *, at: Hospital | None = None, phone: str | None = "0912345678") -> UUID:
        """Nguyễn Thị Lan, 74, with all her cards."""
        return self.register(
            NewPatient(
                "Nguyễn Thị Lan",
                sex="female",
                birth_date="1952-09-05",
                phone=phone,
                national_id=LAN_ID,
                insurance_no="7712345678",
                old_national_id="271234567",
            ),
            at=at,
        )

    def register(self, new: NewPatient, *, at: Hospital | None = None) -> UUID:
        with self.begin() as session:
            patient_id = patients.register(session, SYSTEM, new, now=MONDAY_8AM, cipher=self.cipher)
            if at is not None:
                patients.link_facility(session, patient_id, at.id, MONDAY_8AM)
        return patient_id
