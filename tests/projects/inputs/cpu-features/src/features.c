#include "this_machine.h"

const char *features_of_this_machine(void) { return "adds and multiplies"; }
