#pragma once
const char *features_of_this_machine(void);
