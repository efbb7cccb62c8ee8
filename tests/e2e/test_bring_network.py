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
from tl_core.backbones.networks import delete_network, list_networks
from tl_core.runs import list_runs

pytestmark = pytest.mark.e2e

ADDRESS = "https://tfhub.dev/google/imagenet/mobilenet_v2_050_96/feature_vector/5"


def test_a_pasted_address_trains_and_predicts(app: App, page: Page, hub: LocalHub, tmp_path: Path):
    save_feature_vector(tmp_path / "network")
    hub.networks["google/mobilenet-v2/050-96-feature-vector"] = tmp_path / "network"
    bring_sample(app, page, "Use surfaces")
    page.get_by_role("button", name="Train on these images").click()
    page.get_by_text("Bring your own network").click()
    address = page.get_by_role("textbox", name="Address")
    address.fill(ADDRESS)
    address.press("Enter")
    page.get_by_role("button", name="Add it").click()
    page.get_by_role("button", name="Use it").click(timeout=TRAINING_MILLISECONDS)
    set_epochs(page, 2)
    start_training(page)
    page.get_by_role("button", name="Try it on a photo").click(timeout=TRAINING_MILLISECONDS)
    page.get_by_role("button", name="Try with a test image").click()
    expect(page.get_by_text(re.compile(r"\d+([.,]\d+)? ?%")).first).to_be_visible()
    (network,), (run,) = list_networks(app.workspace), list_runs(app.workspace)
    assert (run.status, run.config.backbone) == ("done", network.id)
    delete_network(app.workspace, network.id)  # for the tests of other files, which share the server
