#include "daemon/app/reflection.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace digit {

absl::Status EnableReflection() {
  // DIGIT_GRPC_REFLECTION is the file name that belongs to the gRPC which digitd is linked with (CMakeLists.txt).
  if (::dlopen(DIGIT_GRPC_REFLECTION, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) != nullptr) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("--reflection: cannot load gRPC's reflection library: ", ::dlerror()));
}

}  // namespace digit
