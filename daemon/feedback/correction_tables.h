// The tables of feedback.db and their rows. Internal to SqliteFeedbackStore, which brings transactions and rules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/feedback/agreement.h"
#include "daemon/feedback/correction.h"
#include "daemon/feedback/sqlite_database.h"

// What ReadCorrection() reads, of `correction AS c`.
#define DIGIT_CORRECTION_COLUMNS                                                  \
  "c.id, c.model, c.version, c.answered, c.truth, c.source, c.created, c.state, " \
  "(SELECT COUNT(*) FROM correction AS o WHERE o.picture = c.picture AND o.model = c.model AND o.truth = c.truth)"

namespace digit {

// OK for an empty file and for one with our tables. FAILED_PRECONDITION: another program's, or a newer digitd's.
absl::Status CheckKind(SqliteDatabase* database);
// In an empty file.
absl::Status MakeTables(SqliteDatabase* database);
// Reads every page and row; FAILED_PRECONDITION: damaged.
absl::Status CheckPages(SqliteDatabase* database);

// Without pixels.
StoredCorrection ReadCorrection(const SqliteQuery& row);
// NOT_FOUND: no such id.
absl::StatusOr<StoredCorrection> ReadOne(SqliteDatabase* database, int64_t id);
absl::StatusOr<int64_t> Insert(SqliteDatabase* database, int64_t picture, const Correction& correction);
absl::Status Delete(SqliteDatabase* database, int64_t id);

// The picture's id, made when it is new.
absl::StatusOr<int64_t> PictureId(SqliteDatabase* database, const std::string& pixels);

// A correction as far as Settle() and Review() know it.
struct StoredClaim {
  int64_t id = 0;
  std::string source;
  Claim claim;
};
absl::StatusOr<std::vector<StoredClaim>> ReadClaims(SqliteDatabase* database, int64_t picture,
                                                    const std::string& model);
// Lets `change` work on the claims, in the same order, and writes those that it has changed.
absl::Status ChangeClaims(SqliteDatabase* database, const std::vector<StoredClaim>& stored,
                          absl::FunctionRef<void(std::vector<Claim>*)> change);

}  // namespace digit
