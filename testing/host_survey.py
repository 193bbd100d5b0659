"""Contract suite of surveys of a machine."""

import os
from pathlib import Path

from img.application.ports.host_survey import HostSurvey


def _this_process() -> tuple[object, ...]:
    namespaces = [os.readlink(f"/proc/self/ns/{name}") for name in ("user", "mnt", "net", "pid")]
    return os.getresuid(), os.getresgid(), os.getcwd(), os.environ.copy(), namespaces


class HostSurveyContract:
    """Promises of every HostSurvey.

    Fixtures: ``survey``.
    """

    def test_all_findings_say_what_was_seen(self, survey: HostSurvey, tmp_path: Path) -> None:
        found = survey.look(tmp_path / "state")

        assert found
        assert [name for name, finding in found.items() if not finding.detail] == []

    def test_what_works_needs_no_remedy(self, survey: HostSurvey, tmp_path: Path) -> None:
        found = survey.look(tmp_path / "state").values()

        assert [finding for finding in found if finding.works and finding.remedy] == []

    def test_nothing_is_left_in_the_state_and_nothing_changed_in_the_process(
        self, survey: HostSurvey, tmp_path: Path
    ) -> None:
        before = _this_process()

        survey.look(tmp_path / "state")

        assert list(tmp_path.glob("state/*")) == []
        assert _this_process() == before

    def test_a_second_look_finds_the_same_names(self, survey: HostSurvey, tmp_path: Path) -> None:
        first, second = (survey.look(tmp_path / "state") for _ in range(2))

        assert {name: finding.works for name, finding in first.items()} == {
            name: finding.works for name, finding in second.items()
        }
