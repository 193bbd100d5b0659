"""Contract tests of surveys of a machine."""

from pathlib import Path

import pytest

from img.adapters.host_survey.linux import LinuxSurvey
from img.adapters.host_survey.memory import MemorySurvey
from img.application.ports.host_survey import Finding, HostSurvey
from img.application.usecases.diagnose import GIVES
from img.testing.host_survey import HostSurveyContract

_FOUND = {
    "privileges": Finding(works=True, detail="root"),
    "overlay": Finding(works=False, detail="not permitted", remedy="allow user namespaces"),
}


@pytest.fixture(params=["memory", pytest.param("linux", marks=pytest.mark.userns)])
def survey(request: pytest.FixtureRequest) -> HostSurvey:
    return MemorySurvey(_FOUND) if request.param == "memory" else LinuxSurvey()


class TestHostSurvey(HostSurveyContract):
    def test_names_are_those_of_img_doctor(self, survey: HostSurvey, tmp_path: Path) -> None:
        assert set(survey.look(tmp_path)) <= set(GIVES)
