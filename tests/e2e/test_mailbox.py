"""The stack's mailbox takes every mail, shows it to this machine, and sends none on."""

import email.message
import ipaddress
import os
import smtplib

import pytest
import requests

SMTP_PORT = 1025


@pytest.fixture
def send(stack):
    """Send a mail as the master does, by its network."""
    networks = stack.container("mail").attrs["NetworkSettings"]["Networks"]
    [address] = [network["IPAddress"] for network in networks.values()]
    assert ipaddress.ip_address(address) in ipaddress.ip_network(
        os.environ["SAAS_CONTROL_SUBNET"]
    )

    def send(to, subject="Hello", html=""):
        message = email.message.EmailMessage()
        message["From"], message["To"], message["Subject"] = "a@b.test", to, subject
        message.set_content("as text")
        if html:
            message.add_alternative(html, subtype="html")
        with smtplib.SMTP(address, SMTP_PORT, timeout=10) as smtp:
            smtp.send_message(message)

    return send


def test_programs_read_the_mails_of_one_address(mailbox, send, names):
    address = f"{next(names)}@example.com"
    send(address, "First")
    send("somebody.else@example.com")
    send(address, "Second", "<b>as page</b>")
    first, second = mailbox.list(address)
    assert (first["subject"], first["to"], first["text"].strip()) == (
        "First",
        [address],
        "as text",
    )
    assert second["html"].strip() == "<b>as page</b>"


def test_people_read_them_too_and_nothing_of_a_mail_runs(mailbox, send, names):
    address = f"{next(names)}@example.com"
    send(address, "<script>alert(1)</script>", "<script>alert(2)</script>")
    [mail] = mailbox.list(address)
    for path in ("", f"mails/{mail['id']}"):
        page = requests.get(f"{mailbox.url}/{path}", timeout=30).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script" not in page
    assert 'sandbox="allow-popups' in page


def test_a_site_whose_name_leads_to_this_machine_reads_nothing(mailbox):
    port = os.environ["SAAS_MAIL_PORT"]
    answer = requests.get(
        f"{mailbox.url}/messages", headers={"Host": f"evil.test:{port}"}, timeout=30
    )
    assert (answer.status_code, answer.text) == (421, "Not for this host name.")


def test_the_mailbox_is_read_on_this_machine_only(stack):
    [binding] = stack.container("mail").attrs["HostConfig"]["PortBindings"]["8025/tcp"]
    assert binding["HostIp"] == "127.0.0.1"


def test_an_unknown_mail_is_not_there(mailbox):
    assert requests.get(f"{mailbox.url}/mails/0", timeout=30).status_code == 404
