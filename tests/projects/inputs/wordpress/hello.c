#include <php.h>

PHP_FUNCTION(hello_from_c) { RETURN_STRING("hello from php"); }

ZEND_BEGIN_ARG_INFO(no_arguments, 0)
ZEND_END_ARG_INFO()

static const zend_function_entry functions[] = {PHP_FE(hello_from_c, no_arguments) PHP_FE_END};

zend_module_entry hello_module_entry = {STANDARD_MODULE_HEADER, "hello", functions, NULL, NULL,
                                        NULL, NULL, NULL, "1.0", STANDARD_MODULE_PROPERTIES};

ZEND_GET_MODULE(hello)
