"""Deliveries by https: certificate and name are checked; what may not be called is not even greeted."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from telehealth.webhooks.rules import Reach, headers
from telehealth.webhooks.sending import Sent, send
from tests.webhooks.receiver import Receiver, Served, dripping, receiving, signed_by

LOOPBACK = Reach((ip_network("127.0.0.0/8"), ip_network("::1/128")))
SECRET = "whsec_" + "QUJD" * 8
BODY = b'{"type":"webhook.test"}'
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issuer:
    """Who signs certificates: an authority, or (self-signed) a server for itself."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def called(cls, name: str) -> "Issuer":
        return cls(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            ec.generate_private_key(ec.SECP256R1()),
        )

    def certificate(
        self,
        subject: "Issuer",
        names: list[x509.GeneralName],
        *,
        ends: timedelta = DAY,
        authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject.name)
            .issuer_name(self.name)
            .public_key(subject.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * DAY)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(subject.key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if authority:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            made = made.add_extension(usage, critical=True)
        return made.sign(self.key, hashes.SHA256())


LOCALHOST = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    """The one authority that this machine trusts."""
    root = Issuer.called("Test root")
    path = tmp_path / "roots.pem"
    path.write_bytes(root.certificate(root, [], authority=True).public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return root


@pytest.fixture
def serving(tmp_path: Path) -> Callable[[Issuer | None, list[x509.GeneralName], timedelta], Served]:
    """A server's certificate by an issuer; by none it signs its own."""

    def make(issuer: Issuer | None, names: list[x509.GeneralName], ends: timedelta = DAY) -> Served:
        own = Issuer.called("His of 77001")
        certificate = (issuer or own).certificate(own, names, ends=ends)
        served = Served(tmp_path / "server.pem", tmp_path / "server.key")
        served.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        served.key.write_bytes(
            own.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return served

    return make


def delivered(receiver: Receiver, reach: Reach = LOOPBACK, host: str = "localhost") -> Sent:
    url = receiver.url.replace("127.0.0.1", host)
    return send(url, BODY, headers([SECRET], "id", 1, BODY), reach, deadline=3.0)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_server_whose_certificate_fits_gets_it_signed(authority: Issuer, serving, host: str):
    with receiving(serving(authority, LOCALHOST)) as receiver:
        assert delivered(receiver, host=host) == Sent(204)
    ((said, body),) = receiver.requests
    assert body == BODY
    assert said["host"] == receiver.url.removeprefix("https://").removesuffix("/hook").replace(
        "127.0.0.1", host
    )
    assert signed_by(SECRET, said, body)


@pytest.mark.parametrize(
    ("signed", "names", "ends"),
    [
        (False, LOCALHOST, DAY),
        (True, [x509.DNSName("his.example.vn")], DAY),
        (True, [], DAY),
        (True, LOCALHOST, -DAY),
    ],
    ids=["self-signed", "another name", "no name", "run out"],
)
def test_a_server_that_cannot_show_who_it_is_gets_nothing(
    authority: Issuer, serving, signed: bool, names: list[x509.GeneralName], ends: timedelta
):
    with receiving(serving(authority if signed else None, names, ends)) as receiver:
        assert delivered(receiver) == Sent(None, "SSLCertVerificationError")
        assert receiver.requests == []


def test_one_signed_by_an_authority_that_nobody_trusts_gets_nothing(authority: Issuer, serving):
    with receiving(serving(Issuer.called("Test root"), LOCALHOST)) as receiver:
        assert delivered(receiver) == Sent(None, "SSLCertVerificationError")
        assert receiver.requests == []


def test_a_redirect_is_an_answer_and_is_not_followed(authority: Issuer, serving):
    with receiving(serving(authority, LOCALHOST)) as receiver:
        receiver.statuses = [307]
        assert delivered(receiver) == Sent(307, "status")
        assert len(receiver.requests) == 1


@pytest.mark.parametrize("networks", [(), (ip_network("10.20.0.0/16"),)])
def test_a_right_certificate_opens_no_address_inside(authority: Issuer, networks):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "2130706433"):
            url = f"https://{host}:{listening.getsockname()[1]}/hook"
            assert send(url, BODY, {}, Reach(networks), deadline=1.0) == Sent(None, "target-refused")
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_plain_text_is_not_spoken_to_a_server_that_knows_no_tls(authority: Issuer):
    with receiving() as receiver:
        receiver.url = receiver.url.replace("http:", "https:")
        answer = delivered(receiver)
        assert (answer.status, receiver.requests) == (None, [])
        assert answer.error == ssl.SSLError.__name__


def test_a_server_that_drips_its_greeting_is_cut_off(authority: Issuer):
    with dripping() as slow:
        answer = send(slow.replace("http:", "https:"), BODY, {}, LOOPBACK, deadline=0.5)
    assert answer.status is None
