#include <stdio.h>
#include "this_machine.h"

int main(void) { return puts(features_of_this_machine()) < 0; }
