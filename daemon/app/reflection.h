// gRPC server reflection, for tools that call a service without its .proto.
#pragma once

#include "absl/status/status.h"

namespace digit {

// Every grpc::ServerBuilder made after this adds the service grpc.reflection.v1alpha. It is in a library of its own,
// whose mere presence turns it on, and it starts threads for synchronous calls: so the library is loaded here and not
// linked. NOT_FOUND says which file is missing. Call it once, before other threads.
absl::Status EnableReflection();

}  // namespace digit
