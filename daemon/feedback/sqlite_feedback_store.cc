#include "daemon/feedback/sqlite_feedback_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "daemon/feedback/correction_tables.h"

namespace digit {
namespace {

constexpr size_t kMaxClaims = 100;  // about one picture and model: what is said of it is read as a whole

}  // namespace

SqliteFeedbackStore::SqliteFeedbackStore(const Options& options)
    : options_(options), path_(options.folder->path().empty() ? "" : options.folder->path() + "/feedback.db") {}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteFeedbackStore::Open() const {
  RETURN_IF_ERROR(options_.folder->Open());
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, SqliteDatabase::Open(path_, options_.busy_timeout));
  RETURN_IF_ERROR(CheckKind(database.get()));
  RETURN_IF_ERROR(database->UseLog());
  RETURN_IF_ERROR(CheckPages(database.get()));
  RETURN_IF_ERROR(MakeTables(database.get()));
  RETURN_IF_ERROR(SettleAll(database.get()));
  return database;
}

absl::StatusOr<SqliteDatabase*> SqliteFeedbackStore::Database(bool make) {
  std::optional<FileId> there;
  struct stat info {};
  if (::stat(path_.c_str(), &info) == 0) {
    there = FileId(info.st_dev, info.st_ino);
  } else if (errno != ENOENT && errno != ENOTDIR) {
    return absl::FailedPreconditionError(ErrnoStatus(errno, "look at", path_).message());
  }
  if (database_ != nullptr && database_->usable() && there == opened_) return database_.get();
  database_.reset();
  if (!there.has_value() && !make) return nullptr;
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> database = Open();
  if (database.ok() && ::stat(path_.c_str(), &info) != 0) database = ErrnoStatus(errno, "look at", path_);
  const std::string problem(database.status().message());
  if (problem != problem_ && !problem.empty()) LogError("corrections cannot be kept", {{"error", problem}});
  problem_ = problem;
  if (!database.ok()) return database.status();
  opened_ = FileId(info.st_dev, info.st_ino);
  database_ = *std::move(database);
  return database_.get();
}

// How many sources are enough may be another number than when the file was last open.
absl::Status SqliteFeedbackStore::SettleAll(SqliteDatabase* database) const {
  SqliteTransaction transaction(database);
  RETURN_IF_ERROR(transaction.Begin());
  std::vector<std::pair<int64_t, std::string>> unreviewed;
  {
    SqliteQuery query(database, "SELECT DISTINCT picture, model FROM correction WHERE reviewed = 0");
    while (query.Next()) unreviewed.emplace_back(query.Int(0), query.Text(1));
    RETURN_IF_ERROR(query.status());
  }
  for (const auto& [picture, model] : unreviewed) {
    ASSIGN_OR_RETURN(const std::vector<StoredClaim> claims, ReadClaims(database, picture, model));
    RETURN_IF_ERROR(
        ChangeClaims(database, claims, [this](std::vector<Claim>* all) { Settle(options_.agreement, all); }));
  }
  return transaction.Commit();
}

absl::Status SqliteFeedbackStore::CheckRoom(SqliteDatabase* database, const Correction& correction,
                                            size_t claims) const {
  ASSIGN_OR_RETURN(const int64_t total, database->Number("SELECT COUNT(*) FROM correction"));
  if (total >= options_.max_total) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the store holds ", total, " corrections, and its limit is ", options_.max_total));
  }
  if (claims >= kMaxClaims) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", claims, " corrections of this picture already, and ", "the limit is ", kMaxClaims));
  }
  SqliteQuery query(database, "SELECT COUNT(*) FROM correction WHERE source = ? AND reviewed = 0");
  query.Bind(correction.source).Next();
  RETURN_IF_ERROR(query.status());
  if (query.Int(0) < options_.max_per_source) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("source '", correction.source, "' has ", query.Int(0),
                                                   " corrections that nobody has reviewed, and the limit is ",
                                                   options_.max_per_source));
}

absl::StatusOr<FeedbackStore::Added> SqliteFeedbackStore::Add(const Correction& correction) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(SqliteDatabase * database, Database(/*make=*/true));
  SqliteTransaction transaction(database);
  RETURN_IF_ERROR(transaction.Begin());
  ASSIGN_OR_RETURN(const int64_t picture, PictureId(database, correction.pixels));
  ASSIGN_OR_RETURN(std::vector<StoredClaim> claims, ReadClaims(database, picture, correction.model));
  int64_t same = 0;
  size_t withdrawn = 0;
  for (const StoredClaim& said : claims) {
    if (said.source != correction.source) continue;
    if (said.claim.truth == correction.truth) {
      same = said.id;
    } else if (!said.claim.reviewed) {
      RETURN_IF_ERROR(Delete(database, said.id));
      ++withdrawn;
    }
  }
  int64_t id = same;
  if (same == 0) {
    RETURN_IF_ERROR(CheckRoom(database, correction, claims.size() - withdrawn));
    ASSIGN_OR_RETURN(id, Insert(database, picture, correction));
  }
  if (same == 0 || withdrawn > 0) {
    ASSIGN_OR_RETURN(claims, ReadClaims(database, picture, correction.model));
    RETURN_IF_ERROR(
        ChangeClaims(database, claims, [this](std::vector<Claim>* all) { Settle(options_.agreement, all); }));
  }
  ASSIGN_OR_RETURN(StoredCorrection stored, ReadOne(database, id));
  RETURN_IF_ERROR(transaction.Commit());
  return Added{std::move(stored), same != 0};
}

absl::StatusOr<std::vector<StoredCorrection>> SqliteFeedbackStore::List(const Query& query) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(SqliteDatabase * database, Database(/*make=*/false));
  std::vector<StoredCorrection> found;
  if (database == nullptr) return found;
  SqliteQuery rows(database,
                   "SELECT " DIGIT_CORRECTION_COLUMNS
                   ", CASE WHEN ?1 THEN p.pixels END FROM correction AS c JOIN picture AS p ON p.id = c.picture "
                   "WHERE c.id < ?2 AND (?3 = '' OR c.model = ?3) AND (?4 = 0 OR c.state = ?4) "
                   "ORDER BY c.id DESC LIMIT ?5");
  rows.Bind(int64_t{query.with_pixels}).Bind(query.before_id).Bind(query.model);
  rows.Bind(query.state.has_value() ? static_cast<int64_t>(*query.state) : 0).Bind(int64_t{query.limit});
  while (rows.Next()) {
    found.push_back(ReadCorrection(rows));
    found.back().pixels = rows.Text(9);
  }
  RETURN_IF_ERROR(rows.status());
  return found;
}

absl::StatusOr<std::vector<StoredCorrection>> SqliteFeedbackStore::Review(absl::Span<const int64_t> ids,
                                                                          CorrectionState state) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(SqliteDatabase * database, Database(/*make=*/false));
  if (database == nullptr) {
    if (ids.empty()) return std::vector<StoredCorrection>();
    return absl::NotFoundError(absl::StrCat("no correction has the id ", ids[0], ": there are none yet"));
  }
  SqliteTransaction transaction(database);
  RETURN_IF_ERROR(transaction.Begin());
  for (const int64_t id : ids) {
    ASSIGN_OR_RETURN(const StoredCorrection correction, ReadOne(database, id));
    SqliteQuery query(database, "SELECT picture FROM correction WHERE id = ?");
    query.Bind(id).Next();
    RETURN_IF_ERROR(query.status());
    ASSIGN_OR_RETURN(const std::vector<StoredClaim> claims, ReadClaims(database, query.Int(0), correction.model));
    const auto reviewed =
        std::find_if(claims.begin(), claims.end(), [id](const StoredClaim& claim) { return claim.id == id; });
    RETURN_IF_ERROR(ChangeClaims(database, claims, [&](std::vector<Claim>* all) {
      digit::Review(static_cast<size_t>(reviewed - claims.begin()), state, options_.agreement, all);
    }));
  }
  std::vector<StoredCorrection> reviewed;
  for (const int64_t id : ids) {
    ASSIGN_OR_RETURN(StoredCorrection correction, ReadOne(database, id));
    if (state == CorrectionState::kAccepted && correction.state != state) {
      return absl::InvalidArgumentError(absl::StrCat(
          "correction ", id, " contradicts another of these about the same picture: accept one of them only"));
    }
    reviewed.push_back(std::move(correction));
  }
  RETURN_IF_ERROR(transaction.Commit());
  return reviewed;
}

absl::StatusOr<std::vector<FeedbackStore::AnswerCount>> SqliteFeedbackStore::CountAnswers(const std::string& model) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(SqliteDatabase * database, Database(/*make=*/false));
  std::vector<AnswerCount> counts;
  if (database == nullptr) return counts;
  SqliteQuery rows(database,
                   "SELECT version, answered, truth, COUNT(*) FROM correction WHERE model = ? AND version != '' AND "
                   "answered IS NOT NULL AND state != 3 GROUP BY version, answered, truth");
  rows.Bind(model);
  while (rows.Next()) counts.push_back({rows.Text(0), rows.Text(1), rows.Text(2), rows.Int(3)});
  RETURN_IF_ERROR(rows.status());
  return counts;
}

absl::StatusOr<TrainingPictures> SqliteFeedbackStore::Accepted(const std::string& model,
                                                               absl::Span<const std::string> labels) {
  if (labels.size() > TrainingPictures::kNotADigit) {
    return absl::InvalidArgumentError(absl::StrCat("model '", model, "' has ", labels.size(), " labels; corrections ",
                                                   "train models of at most ", int{TrainingPictures::kNotADigit}));
  }
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(SqliteDatabase * database, Database(/*make=*/false));
  TrainingPictures pictures;
  if (database == nullptr) return pictures;
  // All that is accepted of a picture says the same.
  SqliteQuery rows(database,
                   "SELECT MIN(c.truth), p.pixels FROM correction AS c JOIN picture AS p ON p.id = c.picture "
                   "WHERE c.model = ? AND c.state = 2 GROUP BY p.digest ORDER BY p.digest");
  rows.Bind(model);
  while (rows.Next()) {
    const std::string truth = rows.Text(0), pixels = rows.Text(1);
    const auto label = std::find(labels.begin(), labels.end(), truth);
    if (truth != kNotADigitLabel && label == labels.end()) continue;
    pictures.labels.push_back(truth == kNotADigitLabel ? TrainingPictures::kNotADigit
                                                       : static_cast<uint8_t>(label - labels.begin()));
    pictures.pixels.insert(pictures.pixels.end(), pixels.begin(), pixels.end());
  }
  RETURN_IF_ERROR(rows.status());
  return pictures;
}

}  // namespace digit
