PHP_ARG_ENABLE([hello],, [Enable it])
PHP_NEW_EXTENSION([hello], [hello.c], $ext_shared)
