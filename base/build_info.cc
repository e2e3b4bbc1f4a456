#include "base/build_info.h"

#define DIGIT_STRING_INNER(x) #x
#define DIGIT_STRING(x) DIGIT_STRING_INNER(x)

#if defined(__clang__)
#define DIGIT_COMPILER "clang " DIGIT_STRING(__clang_major__)
#else
#define DIGIT_COMPILER "gcc " DIGIT_STRING(__GNUC__)
#endif

#ifdef NDEBUG
#define DIGIT_MODE "release"
#else
#define DIGIT_MODE "debug"
#endif

namespace digit {
const char* Version() { return DIGIT_VERSION; }
const char* BuildId() { return "digit " DIGIT_VERSION " " DIGIT_COMPILER " " DIGIT_MODE; }
}  // namespace digit
