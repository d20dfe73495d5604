"""A pytest plugin that turns a skipped test into a failed run, for machines on which everything is installed.

Loaded by `.ci/run` with `-p no_skips`. It looks at the reports themselves, so it covers every test, in this process or
in pytest-xdist's.
"""

from __future__ import annotations

import pytest

Report = pytest.TestReport | pytest.CollectReport


class NoSkips:
    """Collects the skipped tests and fails the run at its end."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._look_at(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._look_at(report)

    def _look_at(self, report: Report) -> None:
        # An expected failure is reported as skipped too.
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped[report.nodeid] = str(report.longrepr)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for name, reason in self.skipped.items():
            terminalreporter.write_line(f"SKIPPED, which counts as failed here: {name}: {reason}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(NoSkips(), "no-skips")
