"""The made-up people of the demonstration: staff, machines and patients."""

from dataclasses import dataclass

from telehealth.core.principal import Role


@dataclass(frozen=True, slots=True)
class DemoStaff:
    """Somebody who works somewhere; `licence_no` makes them a doctor of the province."""

    login: str
    name: str
    role: Role
    facility_code: str = ""
    licence_no: str = ""

    @property
    def password(self) -> str:
        """Return what they sign in with, besides the code of the day."""
        return f"{self.login}-khong-bi-mat"


@dataclass(frozen=True, slots=True)
class DemoPatient:
    """Somebody whom a facility knows."""

    name: str
    sex: str
    birth_date: str
    phone: str
    national_id: str
    insurance_no: str
    facility_code: str


STAFF = (
    DemoStaff("bacsi", "Đặng Hoài Dung", Role.PRACTITIONER, "77001", "000830/77-CCHN"),
    DemoStaff("bacsi.xa", "Hồ Gia Hùng", Role.PRACTITIONER, "77015", "000980/77-CCHN"),
    DemoStaff("letan", "Trần Thị Lan", Role.DESK, "77001"),
    DemoStaff("letan.vungtau", "Phạm Minh Tâm", Role.DESK, "77002"),
    DemoStaff("tram.xa", "Võ Thị Hạnh", Role.DESK, "77015"),
    DemoStaff("quantri", "Nguyễn Quốc Bảo", Role.FACILITY_ADMIN, "77001"),
    DemoStaff("soyte", "Đặng Thu Hà", Role.PROVINCE_OFFICER),
)

KIOSKS = ("77001", "77002", "77015")

PATIENTS = (
    DemoPatient(
        "Nguyễn Thị Đào", "female", "1951-03-12", "0912000101", "077151000101", "4797000101", "77001"
    ),
    DemoPatient("Trần Văn Ân", "male", "1968", "0912000102", "077068000102", "4797000102", "77001"),
    DemoPatient(
        "Phạm Hoàng Yến", "female", "1989-07-30", "0912000103", "077189000103", "4797000103", "77002"
    ),
    DemoPatient("Lê Minh Khôi", "male", "2021-05-09", "", "077221000104", "4797000104", "77015"),
)
