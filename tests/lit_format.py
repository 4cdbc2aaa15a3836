"""Which files are text tests: those with RUN lines, but for test_*, which are unit and Python tests. The others are inputs."""
import os

import lit.formats


class TextTests(lit.formats.ShTest):
    def getTestsInDirectory(self, suite, path_in_suite, lit_config, local_config):
        for test in super().getTestsInDirectory(suite, path_in_suite, lit_config, local_config):
            if os.path.basename(test.getSourcePath()).startswith("test_"):
                continue
            with open(test.getSourcePath(), encoding="utf-8", errors="replace") as file:
                if "RUN:" in file.read():
                    yield test
