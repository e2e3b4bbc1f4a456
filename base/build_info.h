// What this binary is.
#pragma once

namespace digit {

const char* Version();  // "0.1.0"

// For people: version, compiler and mode, "digit 0.1.0 gcc 12 release".
const char* BuildId();

// What a program and a module that it loads must agree on before C++ objects go from one to the other: our version, the
// mode, the C++ library with the layout of its strings, and Abseil's version, namespace and options;
// "digit 0.1.0 release libstdc++ cxx11 absl 20220623 debian3 0000". Not the compiler: GCC and clang keep the Itanium
// C++ ABI between their versions, libstdc++ keeps the layout of its types, and the loader refuses a module that needs a
// newer library than is there.
const char* AbiId();

}  // namespace digit
