<?php require "wp-config-docker.php"; echo GREETING;
