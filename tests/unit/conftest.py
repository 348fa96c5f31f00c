"""What several of the unit tests share."""

from __future__ import annotations

import datetime
import ipaddress
import signal
import sqlite3
import sys
import threading

import pytest
import sqlalchemy
from waiting import Shop

from octossh.model.images import Registry
from octossh.recording import sqlite


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Makes certificates: ``authority(name, days)`` gives the paths of certificate and key; ``.ca`` signed them."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder = tmp_path_factory.mktemp("tls")
    now = datetime.datetime.now(datetime.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])

    def build(name, key, days, *extensions):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(ca_name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=9)).not_valid_after(
            now + datetime.timedelta(days=days)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    uses = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign"
    uses += " crl_sign encipher_only decipher_only"
    usage = {use: use in {"key_cert_sign", "crl_sign"} for use in uses.split()}
    subject_key = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = folder / "ca.pem"
    ca.write_bytes(
        build(
            "test CA",
            ca_key,
            9,
            (x509.BasicConstraints(True, None), True),
            (x509.KeyUsage(**usage), True),
            (subject_key, False),
        )
    )

    def make(name, days=9):
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            alternative = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        signer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key)
        made = folder / f"{name}{days}.pem", folder / f"{name}{days}.key"
        made[0].write_bytes(
            build(name, key, days, (x509.SubjectAlternativeName([alternative]), False), (signer, False))
        )
        made[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(made[0]), str(made[1])

    make.ca = str(ca)
    return make


def is_open(connection):
    """Whether a connection of a database is: those of PostgreSQL say so, and those of SQLite refuse to be used."""
    if not isinstance(connection, sqlite3.Connection):
        return not connection.closed
    try:
        return connection.in_transaction is not None
    except sqlite3.ProgrammingError:
        return False


@pytest.fixture(autouse=True)
def _nothing_left_open(monkeypatch):
    """What a test opens, and all that octossh opens in it, is closed: of a database, the collector is told too late."""
    opened = []
    connect = sqlite._connect

    def connected(path):
        opened.append(connect(path))
        return opened[-1]

    monkeypatch.setattr(sqlite, "_connect", connected)

    def note(connection, _record):
        opened.append(connection)

    def forget(connection, _record):
        opened[:] = [one for one in opened if one is not connection]

    for name, listener in (("connect", note), ("close", forget)):
        sqlalchemy.event.listen(sqlalchemy.Pool, name, listener)
    yield
    for name, listener in (("connect", note), ("close", forget)):
        sqlalchemy.event.remove(sqlalchemy.Pool, name, listener)
    left = [connection for connection in opened if is_open(connection)]
    for connection in left:
        connection.close()
    assert not left, f"{len(left)} connections of databases are left open"


@pytest.fixture
def short_pauses(monkeypatch):
    """A question to a registry is asked again at once."""
    from octossh.registry import exchanges

    monkeypatch.setattr(exchanges, "PAUSE_S", 0.01)


@pytest.fixture
def fake():
    """An empty registry that lies as it is told."""
    from octossh.testing.registry import FakeRegistry

    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def client(fake):
    """Asks it."""
    from octossh.registry import RegistryClient

    with RegistryClient(Registry("fake", fake.url), timeout_s=5) as client:
        yield client


@pytest.fixture
def image(fake):
    """An image in it, which nobody has pushed yet."""
    return Registry("fake", fake.url).image("acme/web")


@pytest.fixture
def octossh(in_tmp, monkeypatch, capsys):
    """Run the command in an empty folder; exit code, standard output and standard error."""
    from octossh.cli import main

    monkeypatch.setattr(sys, "path", list(sys.path))
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        capsys.readouterr()
        code = 0
        try:
            main(list(arguments))
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        return code, out, err

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request, tmp_path):
    """The URL of an empty store that several processes can open."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/octossh.db"
    return request.getfixturevalue("postgresql").place()


@pytest.fixture
def shops(url):
    made = []

    def shop(*steps, **more):
        made.append(Shop(url, *steps, **more))
        return made[-1]

    yield shop
    for one in made:
        one.close()


class Few(dict):
    def __init__(self):
        self.refused = threading.Event()


@pytest.fixture
def few(monkeypatch):
    """Lets only so many threads live at one time whose name begins so."""
    begin, most = threading.Thread.start, Few()

    def start(thread):
        for name, count in most.items():
            alike = [one for one in threading.enumerate() if one.name.startswith(name)]
            if thread.name.startswith(name) and len(alike) >= count:
                most.refused.set()
                raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    return most
