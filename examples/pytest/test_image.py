"""Tests of an image: files, configuration, size, and a push to a registry."""

from __future__ import annotations

import re

from conftest import APP

import img
from img.testing.images import assert_config, assert_file, assert_no_file, assert_size
from img.testing.loopback_registry import LoopbackRegistry
from img.testing.plugin import ImageBuilder


def test_the_settings_are_for_the_app_alone(app: img.Image) -> None:
    assert_file(
        app,
        "/etc/app/settings.ini",
        content=re.compile(r"^port = 8080$", re.MULTILINE),
        mode=0o640,
        owner=(1000, 1000),
    )


def test_the_app_starts_as_an_ordinary_user(app: img.Image) -> None:
    assert_config(
        app,
        user="1000",
        entrypoint=["/usr/bin/start"],
        env={"LANG": "C.UTF-8", "DEBUG": None},
        ports=["8080/tcp"],
        labels={"org.opencontainers.image.version": "1.2"},
    )


def test_the_image_is_small_and_has_no_dockerfile(app: img.Image) -> None:
    assert_size(app, at_most="10KB")
    assert_no_file(app, "**/Dockerfile")


def test_the_image_can_be_pushed_and_pulled(
    img_build: ImageBuilder, img_registry: LoopbackRegistry
) -> None:
    name = img_registry.name("example/app:1.2")
    built = img_build(APP, tag=name)

    img.push(name, state=img_build.state)

    assert img_registry.tags("example/app") == {"1.2": built.digest}
    assert img.pull(name, state=img_build.state).digest == built.digest
