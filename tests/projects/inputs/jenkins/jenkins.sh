#!/bin/bash
set -e
touch "$COPY_REFERENCE_FILE_LOG"
exec java -jar /usr/share/jenkins/jenkins.war "$@"
