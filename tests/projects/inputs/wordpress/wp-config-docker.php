<?php define("GREETING", hello_from_c());
