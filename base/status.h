// Early returns for absl::Status, of the shape newer Abseil has. Delete when Debian's Abseil brings its own.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RETURN_IF_ERROR(expr)                           \
  do {                                                  \
    if (absl::Status status_ = (expr); !status_.ok()) { \
      return status_;                                   \
    }                                                   \
  } while (false)

#define DIGIT_CONCAT_INNER(a, b) a##b
#define DIGIT_CONCAT(a, b) DIGIT_CONCAT_INNER(a, b)

// ASSIGN_OR_RETURN(Foo foo, MakeFoo());
#define ASSIGN_OR_RETURN(lhs, expr) ASSIGN_OR_RETURN_IMPL(DIGIT_CONCAT(statusor_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_IMPL(statusor, lhs, expr) \
  auto statusor = (expr);                          \
  if (!statusor.ok()) {                            \
    return std::move(statusor).status();           \
  }                                                \
  lhs = *std::move(statusor)
