// The corrections in the file feedback.db of the state folder.
//
// Made at the first Add(). What is acknowledged is on disk: neither kill -9 nor a power cut loses it. The file is
// opened when first needed, anew after an error, and when another one has taken its place, so that an operator can move
// a damaged one away while the daemon serves. Other programs may read it meanwhile (`sqlite3 feedback.db`).
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/state_folder.h"
#include "daemon/feedback/agreement.h"
#include "daemon/feedback/feedback_store.h"
#include "daemon/feedback/sqlite_database.h"

namespace digit {

class SqliteFeedbackStore final : public FeedbackStore {
 public:
  struct Options {
    StateFolder* folder = nullptr;                   // not owned
    int64_t max_per_source = 1000;                   // that nobody has reviewed; guess
    int64_t max_total = 100'000;                     // some 100 MB
    int agreement = 0;                               // sources that are believed without a review; 0: never
    absl::Duration busy_timeout = absl::Seconds(2);  // how long to wait for another process; guess
  };
  explicit SqliteFeedbackStore(const Options& options);

  absl::StatusOr<Added> Add(const Correction& correction) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::vector<StoredCorrection>> List(const Query& query) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::vector<StoredCorrection>> Review(absl::Span<const int64_t> ids, CorrectionState state) override
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::vector<AnswerCount>> CountAnswers(const std::string& model) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<TrainingPictures> Accepted(const std::string& model, absl::Span<const std::string> labels) override
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using FileId = std::pair<dev_t, ino_t>;
  // The database, opened if need be; nullptr: there is none, and `make` is false.
  absl::StatusOr<SqliteDatabase*> Database(bool make) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open() const;
  absl::Status SettleAll(SqliteDatabase* database) const;
  absl::Status CheckRoom(SqliteDatabase* database, const Correction& correction, size_t claims) const;

  const Options options_;
  const std::string path_;
  Mutex mu_;
  std::unique_ptr<SqliteDatabase> database_ ABSL_GUARDED_BY(mu_);
  std::optional<FileId> opened_ ABSL_GUARDED_BY(mu_);  // which file that is
  std::string problem_ ABSL_GUARDED_BY(mu_);           // why it could not be opened last; it is logged once
};

}  // namespace digit
