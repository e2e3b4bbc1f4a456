// What this binary is. BuildId() also guards the torch module: it is loaded only when both sides say the same.
#pragma once

namespace digit {

const char* Version();  // "0.1.0"
// Version, compiler and C++ ABI, e.g. "digit 0.1.0 gcc 12 release".

const char* BuildId();

}  // namespace digit
