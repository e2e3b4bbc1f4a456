// Who may call what: one table over every method.
//
// Recognising and looking is for everybody who can connect. What changes a model is for admins: with a token, for
// whoever sends it as `authorization: Bearer TOKEN`; without one, for whoever reaches a loopback listener, and for
// nobody elsewhere. A gateway on this machine says of callers from elsewhere that they are (`digit-caller: remote`):
// they reach us by loopback, but are not on it. Thread-safe.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpcpp/server_context.h"

namespace digit {

class Authorizer {
 public:
  struct Options {
    std::string admin_token;  // empty: there is none
    bool listens_on_loopback = true;
  };
  explicit Authorizer(Options options) : options_(std::move(options)) {}

  // `method`: "ReloadModel". OK; UNAUTHENTICATED: no token or a wrong one; PERMISSION_DENIED: admin calls are off, how
  // to turn them on. A method that is not in the table is a bug.
  absl::Status Check(absl::string_view method, const grpc::ServerContextBase& context) const;

  // Pure; `sent`: the value of `authorization`, empty: none.
  absl::Status Check(absl::string_view method, absl::string_view sent, bool is_remote = false) const;

  // Whether the table has it, for the test that holds it against the service.
  static bool Knows(absl::string_view method);
  static bool IsForAdmins(absl::string_view method);

 private:
  const Options options_;
};

// "127.0.0.1:0", "localhost:1", "[::1]:2".
bool IsLoopbackAddress(absl::string_view host_port);

}  // namespace digit
