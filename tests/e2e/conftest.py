"""Fixtures: one simulator for the session, and a gateway per test module or per test."""

import pytest
from harness import Gateway, Simulator
from hosts import Hosts


@pytest.fixture(scope="session")
def simulator(tmp_path_factory):
    with Simulator(tmp_path_factory.mktemp("simulator")) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def hosts(simulator):
    hosts = Hosts(simulator)
    yield hosts
    hosts.close()


@pytest.fixture(scope="module", autouse=True)
def no_leaks(simulator):
    """No module may end with a provider having seen what it must not see."""
    simulator.reset()
    yield
    simulator.reset()


@pytest.fixture(scope="module")
def module_gateway(tmp_path_factory):
    """Starts gateways that live as long as the module (`module_gateway(config)`); at its end none may have broken."""
    yield from _start(tmp_path_factory)


@pytest.fixture
def start_gateway(tmp_path_factory):
    """Starts gateways that live as long as the test (`start_gateway(config)`); at its end none may have broken."""
    yield from _start(tmp_path_factory)


def _start(tmp_path_factory):
    started = []

    def start(config, **options):
        gateway = Gateway(tmp_path_factory.mktemp("gateway"), config, **options)
        started.append(gateway)
        return gateway

    try:
        yield start
        for gateway in started:
            gateway.stop()
    finally:
        for gateway in started:
            gateway.kill()
