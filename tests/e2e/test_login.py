"""Logging in for real: a browser, a provider of OpenID Connect, people who are invited and people who are not."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.application import DESKTOP, App
from tests.e2e.identity_provider import IdentityProvider, identity_provider
from tests.ui.trained_runs import colour_dataset, ended_run
from tl_core.config import TrainingConfig
from tl_core.data import list_datasets
from tl_core.runs import create_run
from tl_core.storage.ownership import belonging, person_id

ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"
MILLISECONDS = 60_000


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as running:
        yield running


@pytest.fixture(scope="module")
def invited(start_app: Callable[..., App], provider: IdentityProvider, tmp_path_factory) -> App:
    secrets = provider.secrets_file(tmp_path_factory.mktemp("secrets"))
    return start_app(STREAMLIT_SECRETS_FILES=str(secrets), TL_ALLOWED_EMAILS=f"{ADA}, {BOB}")


@pytest.fixture
def somebody(browser: Browser) -> Iterator[Callable[[], Page]]:
    """A person with a browser of their own, who has not logged in."""
    expect.set_options(timeout=MILLISECONDS)
    with contextlib.ExitStack() as stack:

        def new() -> Page:
            context: BrowserContext = browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(MILLISECONDS)
            return page

        yield new


def log_in(page: Page, app: App, email: str) -> Page:
    page.goto(app.at())
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{app.url}/**")
    return page


def is_in(page: Page) -> None:
    expect(page.get_by_text("You see your own datasets and runs")).to_be_visible()


def test_two_people_see_their_own_runs_and_what_is_shared(invited: App, provider: IdentityProvider, somebody):
    runs = {}
    for email, name in ((ADA, "Ada's run"), (BOB, "Bob's run")):
        room = replace(invited.workspace.ensure(), person=person_id(invited.workspace, email))
        runs[email] = ended_run(room, colour_dataset(room), name)
    before = provider.tokens
    ada, bob = log_in(somebody(), invited, "Ada@Example.org"), log_in(somebody(), invited, BOB)
    is_in(ada)
    is_in(bob)
    assert provider.tokens == before + 2, "both really came through the provider"
    expect(ada.get_by_role("heading", name="Ada's run")).to_be_visible()
    expect(ada.get_by_text("Bob's run")).to_have_count(0)
    expect(bob.get_by_role("heading", name="Bob's run")).to_be_visible()
    expect(bob.get_by_text("Ada's run")).to_have_count(0)

    bob.goto(invited.at("Runs", run=runs[ADA].id))
    expect(bob.get_by_text("This run is somebody else's")).to_be_visible()
    expect(bob.get_by_text("Ada's run")).to_have_count(0)

    ada.goto(invited.at("Runs", run=runs[ADA].id))
    ada.get_by_text("Everybody invited may see it").click()
    expect(
        ada.get_by_role("checkbox", name="Everybody invited may see it").or_(ada.get_by_role("switch"))
    ).to_be_checked()
    bob.reload()
    expect(bob.get_by_role("heading", name="Ada's run")).to_be_visible()
    expect(bob.get_by_text("Somebody else's run")).to_be_visible()
    expect(bob.get_by_role("button", name="Delete", exact=True)).to_have_count(0)


@pytest.mark.slow
def test_a_dataset_is_its_owners_until_it_is_shared(invited: App, somebody):
    colour_dataset(replace(invited.workspace.ensure(), person=person_id(invited.workspace, ADA)))  # not her first
    ada, bob = log_in(somebody(), invited, ADA), log_in(somebody(), invited, BOB)
    is_in(ada)
    is_in(bob)
    ada.goto(invited.at("Data"))
    ada.get_by_text("New dataset").click()
    ada.get_by_role("button", name="Use surfaces").click()
    expect(ada.get_by_text("336", exact=True)).to_be_visible()
    dataset = next(found for found in list_datasets(invited.workspace) if found.name == "Surfaces")
    bob.goto(invited.at("Data", dataset=dataset.id))
    expect(bob.get_by_text("This dataset is somebody else's: ask them to switch on")).to_be_visible()
    expect(bob.get_by_text("336", exact=True)).to_have_count(0)

    expect(ada.get_by_role("switch")).to_have_count(1)  # what was drawn before is gone
    ada.get_by_text("Everybody invited may see it").click()
    while not belonging(dataset.path).shared:  # pytest's own time limit ends it
        ada.wait_for_timeout(50)
    expect(ada.get_by_role("switch")).to_have_count(1)
    expect(ada.get_by_role("switch")).to_be_checked()
    bob.goto(invited.at("Data", dataset=dataset.id))
    expect(bob.get_by_text("Somebody else's dataset")).to_be_visible()
    expect(bob.get_by_text("336", exact=True)).to_be_visible()
    expect(bob.get_by_role("button", name="Train on these images")).to_be_visible()
    for changing in ("Rename", "Delete"):
        expect(bob.get_by_role("button", name=changing)).to_have_count(0)


@pytest.mark.slow
def test_whoever_logs_out_has_left_here_and_at_the_provider(invited: App, provider: IdentityProvider, somebody):
    page = somebody()
    page.goto(invited.at("Data"))
    expect(page.get_by_text("Log in to see this page")).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_have_count(0)
    is_in(log_in(page, invited, BOB))
    page.reload()
    is_in(page)
    expect(page.get_by_test_id("stSidebar").get_by_text(BOB)).to_be_visible()
    before = provider.ended
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    while provider.ended == before:  # pytest's own time limit ends it
        page.wait_for_timeout(50)
    assert provider.ended == before + 1
    page.goto(invited.at("Runs"))
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_whoever_is_not_invited_sees_nothing_and_can_log_out(invited: App, somebody):
    eve = log_in(somebody(), invited, EVE)
    expect(eve.get_by_text("not on the list of people invited")).to_be_visible()
    expect(eve.get_by_text("Running now")).to_have_count(0)
    eve.get_by_role("button", name="Log out").click()
    expect(eve.get_by_role("button", name="Log in")).to_be_visible()


def test_an_address_that_was_not_verified_is_not_let_in(
    invited: App, provider: IdentityProvider, somebody, monkeypatch
):
    monkeypatch.setattr(provider, "verified", False)
    page = log_in(somebody(), invited, ADA)
    expect(page.get_by_text("has not verified your e-mail address")).to_be_visible()


def test_a_cookie_with_another_address_is_no_login(invited: App, somebody):
    page = somebody()
    forged = base64.b64encode(
        f'{{"is_logged_in": true, "email": "{ADA}", "origin": "{invited.url}"}}'.encode()
    ).decode()
    page.context.add_cookies([{"name": "_streamlit_user", "value": forged, "url": invited.url}])
    page.goto(invited.at())
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_a_page_that_lies_open_closes_by_itself_when_the_login_runs_out(
    invited: App, provider: IdentityProvider, somebody, monkeypatch
):
    room = replace(invited.workspace.ensure(), person=person_id(invited.workspace, BOB))
    waiting = create_run(room, TrainingConfig(), colour_dataset(room), "Bob's waiting run")  # so that Home refreshes
    monkeypatch.setattr(provider, "lifetime", 15.0)
    page = log_in(somebody(), invited, BOB)
    expect(page.get_by_text("Bob's waiting run").first).to_be_visible()
    assert waiting.active, "it waits for this process, which lives"
    expect(page.get_by_text("Your login has run out")).to_be_visible()  # and nobody has touched the page
    expect(page.get_by_text("Bob's waiting run")).to_have_count(0)


def test_no_address_of_a_person_is_kept_beside_runs(invited: App, somebody):
    is_in(log_in(somebody(), invited, ADA))
    for path in invited.workspace.root.rglob("*"):
        if path.is_file():
            assert ADA.encode() not in path.read_bytes(), path
    assert ADA not in invited.log.read_text()
