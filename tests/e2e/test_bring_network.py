"""A network from elsewhere, from its address to its answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.application import App
from tests.e2e.test_story import TRAINING_MILLISECONDS, bring_sample, set_epochs, start_training
from tests.tl_core.imported_models.networks.hub_networks import save_feature_vector
from tests.tl_core.imported_models.networks.local_hub import LocalHub
from tests.tl_core.imported_models.networks.presets import save_preset, vit, vit_converter
from tl_core.backbones.networks import Network, delete_network, list_networks
from tl_core.runs import list_runs

pytestmark = pytest.mark.e2e

ADDRESS = "https://tfhub.dev/google/imagenet/mobilenet_v2_050_96/feature_vector/5"


def bring(page: Page, address: str) -> None:
    page.get_by_role("button", name="Train on these images").click()
    page.get_by_text("Bring your own network").click()
    field = page.get_by_role("textbox", name="Address")
    field.fill(address)
    field.press("Enter")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("button", name="Use it")).to_be_visible(timeout=TRAINING_MILLISECONDS)


def train_and_predict(app: App, page: Page) -> Network:
    """Train on the network that was brought, and ask about an image; gives the network, which has to be deleted for
    the tests of other files, because they share the server."""
    page.get_by_role("button", name="Use it").click()
    set_epochs(page, 2)
    start_training(page)
    page.get_by_role("button", name="Try it on a photo").click(timeout=TRAINING_MILLISECONDS)
    page.get_by_role("button", name="Try with a test image").click()
    expect(page.get_by_text(re.compile(r"\d+([.,]\d+)? ?%")).first).to_be_visible()
    (network,), (run, *_) = list_networks(app.workspace), list_runs(app.workspace)
    assert (run.status, run.config.backbone) == ("done", network.id)
    return network


@pytest.mark.slow
def test_a_pasted_address_trains_and_predicts(app: App, page: Page, hub: LocalHub, tmp_path: Path):
    save_feature_vector(tmp_path / "network")
    hub.networks["google/mobilenet-v2/050-96-feature-vector"] = tmp_path / "network"
    bring_sample(app, page, "Use surfaces")
    bring(page, ADDRESS)
    network = train_and_predict(app, page)
    delete_network(app.workspace, network.id)


@pytest.mark.slow
def test_a_preset_tells_its_facts_trains_predicts_and_shows_where_it_looked(
    app: App, page: Page, hub: LocalHub, tmp_path: Path
):
    save_preset(tmp_path / "vit", vit(), vit_converter())
    hub.networks["keras/vit_tiny"] = tmp_path / "vit"
    bring_sample(app, page, "Use surfaces")
    bring(page, "https://huggingface.co/keras/vit_tiny")
    for fact in ("takes images of 32 x 32 pixels", "16 features at 4 x 4 places (17 tokens, without 1 that stands"):
        expect(page.get_by_text(fact)).to_be_visible()
    network = train_and_predict(app, page)
    page.get_by_text("Where did it look?").click()
    expect(page.get_by_role("img", name=re.compile("The places marked that speak for"))).to_be_visible()
    delete_network(app.workspace, network.id)
