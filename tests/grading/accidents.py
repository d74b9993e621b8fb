"""What can happen to the process that grades: settings which let it happen to a student."""

ACCIDENTS = """
import os, signal, time
from pathlib import Path
from nbgrader.preprocessors.base import NbGraderPreprocessor

class Accident(NbGraderPreprocessor):
    def preprocess(self, nb, resources):
        accident = root / ("accident-" + resources["nbgrader"]["student"])
        what = accident.read_text() if accident.exists() else ""
        given_up = nb.metadata.get("facegan_grading", {}).get("problem")
        if what == "always killed" or (what == "killed" and not given_up):
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "asleep" and not given_up:
            time.sleep(600)
        if what == "warm process killed":
            from facegan_ref.grading.sandbox import warm_process
            accident.unlink()
            os.kill(warm_process()._process.pid, signal.SIGKILL)
            time.sleep(1)
        return nb, resources

c.Autograde.autograde_preprocessors.insert(0, Accident)
"""
"""In `nbgrader_config.py`: what the file `accident-STUDENT` in the course folder says happens."""
