"""Webhooks go to public addresses and to allowed ones, however an address is spelt."""

import os
import socket
import subprocess
import sys
from ipaddress import ip_address, ip_network

import pytest
from django.conf import settings as configured

from classifier.addresses import RefusedAddress, check_url, is_public, resolve

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a00:1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "3fff::1",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.128.0.1",
    "172.32.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.fixture(autouse=True)
def _nothing_allowed(settings):
    settings.WEBHOOK_ALLOWED = ()


@pytest.fixture
def names(monkeypatch):
    """A DNS of the test's own: put addresses of a name in, see how often each was asked for."""
    known = {}
    asked = []

    def look_up(host, port, *args, **kwargs):
        asked.append(host)
        try:
            addresses = known.get(host) or [str(ip_address(host))]
        except ValueError:
            raise socket.gaierror(-2, "Name or service not known") from None
        return [(None, None, None, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    known["asked"] = asked
    return known


def in_url(address):
    return f"https://[{address}]/hook" if ":" in address else f"https://{address}/hook"


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_no_public_network_is_refused(address, names):
    assert not is_public(ip_address(address))
    for check in (check_url, resolve):
        with pytest.raises(RefusedAddress, match="private or special network"):
            check(in_url(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_there_is_refused_though_it_leads_elsewhere_too(address, names):
    names["hooks.example"] = ["8.8.8.8", address]
    check_url("https://hooks.example/")
    with pytest.raises(RefusedAddress, match="is inside a private"):
        resolve("https://hooks.example/")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_taken(address, names):
    check_url(in_url(address))
    assert resolve(in_url(address)).port == 443


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "127.0.0.0x1",
        "127.0.0.1.1",
        "999.0.0.1",
        "0",
        "0x",
        "example.1",
        "4294967296",
    ],
)
def test_an_odd_number_for_an_address_is_refused_before_anybody_reads_it(host):
    with pytest.raises(RefusedAddress, match="four decimal numbers"):
        check_url(f"https://{host}/")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://127.0.0.1./", "private"),
        ("https://LOCALHOST/", "not a public name"),
        ("https://localhost./", "not a public name"),
        ("https://api.localhost/", "not a public name"),
        ("https://metadata.google.internal/", "not a public name"),
        ("https://printer.local/", "not a public name"),
        ("https://intranet/", "not a public name"),
        ("https://127。0。0。1/", "ASCII form"),
        ("https://①②⑦.0.0.1/", "ASCII form"),
        ("https://faß.example/", "ASCII form"),
        ("https://ex\u00adample.com/", "ASCII form"),
        ("https://example.com../", "no name that the DNS knows"),
        ("https://.example.com/", "no name that the DNS knows"),
        ("https://-a.example/", "no name that the DNS knows"),
        (f"https://{'a' * 64}.example/", "no name that the DNS knows"),
        (f"https://{'a.' * 130}example/", "no name that the DNS knows"),
        ("https://a\ud800.example/", "no name that the DNS knows"),
        ("https://user@example.com/", "name or a password"),
        ("https://user:secret@example.com/", "name or a password"),
        ("https://example.com:443@127.0.0.1/", "name or a password"),
        ("https://example.com\\@127.0.0.1/", "name or a password"),
        ("https://example.com#@127.0.0.1/", "not an address"),
        ("https://127.0.0.1\\.example.com/", "not an address"),
        ("https://[::1].example.com/", "not an address"),
        ("https://example.com[::1]/", "not an address"),
        ("https://[::1%25eth0]/", "not an address"),
        ("https://[::g]/", "not an address"),
        ("https://[1:2]/", "no IPv6 address"),
        ("https://[127.0.0.1]/", "no IPv6 address"),
        ("https://ex%61mple.com/", "not an address"),
        ("https://example.com:/", "not an address"),
        ("https://example.com:https/", "not an address"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:99999999999/", "not an address"),
        ("https://example.com:٤٤٣/", "not an address"),
        ("https://example.com/a b", "not an address"),
        ("https://example.com/a\r\nHost: b", "not an address"),
        ("https://example.com/\x00", "not an address"),
        ("https://example.com/ä", "not an address"),
        ("https://example.com/#part", "not an address"),
        ("https://exam\tple.com/", "not an address"),
        (" https://example.com/", "must begin with https"),
        ("https:///hook", "not an address"),
        ("https:example.com", "must begin with https"),
        ("//example.com/", "must begin with https"),
        ("example.com", "must begin with https"),
        ("", "must begin with https"),
        ("http://example.com/", "must begin with https"),
        ("ftp://example.com/", "must begin with https"),
        ("file:///etc/passwd", "must begin with https"),
        ("javascript:alert(1)", "must begin with https"),
        ("https://example.com/" + "a" * 2000, "longer than 2000"),
    ],
)
def test_what_is_not_a_plain_address_is_refused_with_the_reason(url, message):
    with pytest.raises(RefusedAddress, match=message):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://example.com", ("example.com", 443, "/", "example.com")),
        ("HTTPS://Example.COM./a?b=c", ("example.com", 443, "/a?b=c", "example.com")),
        ("https://example.com?b=c", ("example.com", 443, "/?b=c", "example.com")),
        ("https://example.com:443/", ("example.com", 443, "/", "example.com")),
        ("https://example.com:8443/@:[]", ("example.com", 8443, "/@:[]", "example.com:8443")),
        ("https://BÜCHER.example/", ("xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example")),
        ("https://[2606:4700:0::1111]/", ("2606:4700::1111", 443, "/", "[2606:4700::1111]")),
        ("https://[2606:4700::1]:81/", ("2606:4700::1", 81, "/", "[2606:4700::1]:81")),
    ],
)
def test_an_address_is_taken_apart_once_and_for_all(url, parts, names):
    names[parts[0]] = ["8.8.8.8"]
    check_url(url)
    target = resolve(url)
    assert (target.host, target.port, target.path, target.host_header) == parts
    assert target.addresses == ("8.8.8.8",)


def test_a_name_is_looked_up_once_so_that_it_cannot_change_between_check_and_use(names):
    names["hooks.example"] = ["2606:4700::1111", "8.8.8.8", "8.8.8.8"]
    assert resolve("https://hooks.example/").addresses == ("2606:4700::1111", "8.8.8.8")
    assert names["asked"] == ["hooks.example"]


def test_a_name_that_nobody_knows_is_the_networks_failure_and_no_refusal(names):
    with pytest.raises(OSError, match="not known"):
        resolve("https://nobody.example/")


class TestWithAnIntranet:
    @pytest.fixture(autouse=True)
    def _allowed(self, _nothing_allowed, settings):
        settings.WEBHOOK_ALLOWED = (ip_network("10.1.0.0/16"), ip_network("fd12::/16"), "intranet")

    @pytest.mark.parametrize(
        "url",
        [
            "http://10.1.2.3/",
            "https://10.1.2.3:9000/",
            "http://[fd12::7]/",
            "http://[::ffff:10.1.2.3]/",
            "http://intranet/hook",
            "http://INTRANET.:8080/hook",
        ],
    )
    def test_what_is_allowed_may_be_private_and_plain_http(self, url, names):
        names["intranet"] = ["192.168.7.7"]
        check_url(url)
        assert resolve(url).addresses

    @pytest.mark.parametrize("url", ["https://10.2.0.1/", "https://127.0.0.1/", "https://[::1]/"])
    def test_the_neighbours_of_what_is_allowed_are_not(self, url, names):
        with pytest.raises(RefusedAddress, match="private"):
            check_url(url)
        with pytest.raises(RefusedAddress, match="private"):
            resolve(url)

    def test_a_public_address_still_needs_https(self, names):
        names["hooks.example"] = ["8.8.8.8"]
        resolve("https://hooks.example/")
        with pytest.raises(RefusedAddress, match="https"):
            resolve("http://hooks.example/")
        with pytest.raises(RefusedAddress, match="https"):
            check_url("http://8.8.8.8/")

    def test_a_name_inside_is_judged_by_where_it_leads(self, names):
        names["receiver"] = ["10.1.0.9"]
        names["database"] = ["10.2.0.9"]
        check_url("http://receiver:9000/")
        assert resolve("http://receiver:9000/").addresses == ("10.1.0.9",)
        with pytest.raises(RefusedAddress, match="https"):
            resolve("http://database:9000/")
        with pytest.raises(RefusedAddress, match="private"):
            resolve("https://database:9000/")


class TestWithoutTheInternet:
    """A server that must call nobody outside."""

    @pytest.fixture(autouse=True)
    def _nothing_public(self, _nothing_allowed, settings):
        settings.WEBHOOK_PUBLIC = False

    @pytest.mark.parametrize("url", ["https://hooks.example/", "https://8.8.8.8/"])
    def test_public_addresses_are_refused(self, url, names):
        names["hooks.example"] = ["8.8.8.8"]
        for check in (check_url, resolve):
            with pytest.raises(RefusedAddress, match="that it names only"):
                check(url)

    def test_allowed_ones_are_not(self, names, settings):
        settings.WEBHOOK_ALLOWED = (ip_network("10.0.0.0/8"),)
        names["receiver"] = ["10.0.0.7"]
        names["hooks.example"] = ["8.8.8.8"]
        check_url("http://receiver/")
        resolve("http://receiver/")
        with pytest.raises(RefusedAddress, match="that it names only"):
            resolve("https://hooks.example/")


def settings_with(value):
    return subprocess.run(
        [sys.executable, "-c", "from config import settings; print(settings.WEBHOOK_ALLOWED)"],
        cwd=configured.BASE_DIR,
        env={**os.environ, "SIGHTLINE_WEBHOOK_ALLOWED": value},
        capture_output=True,
        text=True,
    )


def test_the_setting_takes_networks_and_names():
    result = settings_with("10.0.0.0/8, fd12::/16,10.1.2.3,Hooks.Intranet")
    networks = (ip_network("10.0.0.0/8"), ip_network("fd12::/16"), ip_network("10.1.2.3/32"))
    assert result.stdout.strip() == str((*networks, "hooks.intranet")), result.stderr


@pytest.mark.parametrize(
    "value", ["10.0.0.1/8", "https://a.example", "10.0.0.0/33", "a b", "1.2.3"]
)
def test_a_setting_that_makes_no_sense_is_refused_in_one_line(value):
    last = settings_with(value).stderr.strip().splitlines()[-1]
    assert "ImproperlyConfigured: SIGHTLINE_WEBHOOK_ALLOWED has" in last
    assert "10.0.0.0/8 and host names are needed" in last
