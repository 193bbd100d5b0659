#include <ruby.h>

static VALUE say(VALUE self) { return rb_str_new_cstr("hello from ruby"); }

void Init_hello(void) { rb_define_global_function("hello_from_c", say, 0); }
