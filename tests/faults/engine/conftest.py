"""Cases of the Docker engine, on one of their own with a whole stack."""

from __future__ import annotations

import pytest
from own_engine import OwnEngine, Second

from stack import images, settings


@pytest.fixture(scope="session")
def own_engine():
    values = settings.load_faults()
    made = OwnEngine(values.cache / "engine")
    try:
        made.set_live_restore(False)
        made.start()
        ours = [tag for image in images.IMAGES for tag in image.tags]
        made.load([*ours, values["BASE_IMAGE"]])
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def second(own_engine, _names_of_this_machine, names):
    return Second(own_engine, names)


# What the cases on the engine in use have, of this one.


@pytest.fixture(autouse=True)
def _inside(own_engine, second):
    with own_engine.network():
        yield


@pytest.fixture
def engine(own_engine):
    return own_engine.client


@pytest.fixture
def values(second):
    return second.values


@pytest.fixture
def stack(second):
    return second.stack


@pytest.fixture
def master(second):
    return second.master


@pytest.fixture
def plan(second):
    return second.plan


@pytest.fixture
def residents(second):
    return second.residents


@pytest.fixture
def aftermath(second):
    return second.aftermath
