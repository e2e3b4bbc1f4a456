// A shared library that exports none of what a torch module must.
extern "C" int digit_something_else() { return 1; }
