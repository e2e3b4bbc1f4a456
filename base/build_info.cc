#include "base/build_info.h"

#include <version>

#include "absl/base/config.h"

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

#if defined(_GLIBCXX_USE_CXX11_ABI) && _GLIBCXX_USE_CXX11_ABI
#define DIGIT_CXX_LIBRARY "libstdc++ cxx11"
#elif defined(__GLIBCXX__)
#define DIGIT_CXX_LIBRARY "libstdc++ before cxx11"
#else
#define DIGIT_CXX_LIBRARY "other than libstdc++"
#endif

#ifdef ABSL_LTS_RELEASE_VERSION
#define DIGIT_ABSL_VERSION DIGIT_STRING(ABSL_LTS_RELEASE_VERSION)
#else
#define DIGIT_ABSL_VERSION "of no release"
#endif
#define DIGIT_ABSL                                                                              \
  "absl " DIGIT_ABSL_VERSION                                                                    \
  " " DIGIT_STRING(ABSL_OPTION_INLINE_NAMESPACE_NAME) " " DIGIT_STRING(ABSL_OPTION_USE_STD_ANY) \
      DIGIT_STRING(ABSL_OPTION_USE_STD_OPTIONAL) DIGIT_STRING(ABSL_OPTION_USE_STD_VARIANT)      \
          DIGIT_STRING(ABSL_OPTION_USE_STD_STRING_VIEW)

namespace digit {
const char* Version() { return DIGIT_VERSION; }
const char* BuildId() { return "digit " DIGIT_VERSION " " DIGIT_COMPILER " " DIGIT_MODE; }
const char* AbiId() { return "digit " DIGIT_VERSION " " DIGIT_MODE " " DIGIT_CXX_LIBRARY " " DIGIT_ABSL; }
}  // namespace digit
