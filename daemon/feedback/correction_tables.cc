#include "daemon/feedback/correction_tables.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr int64_t kSchema = 1;                // PRAGMA user_version
constexpr int64_t kApplication = 0x44494746;  // PRAGMA application_id, "DIGF"

constexpr char kMakeTables[] = R"(
CREATE TABLE picture (
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,  -- SHA-256 of the pixels
  pixels BLOB NOT NULL
) STRICT;
CREATE TABLE correction (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: a review must not meet another one
  picture INTEGER NOT NULL REFERENCES picture (id),
  model TEXT NOT NULL,
  version TEXT NOT NULL,   -- '': unknown
  answered TEXT,           -- NULL: unknown, '': not a digit
  truth TEXT NOT NULL,     -- '': not a digit
  source TEXT NOT NULL,
  created INTEGER NOT NULL,  -- microseconds since 1970
  state INTEGER NOT NULL,    -- 1 pending, 2 accepted, 3 rejected
  reviewed INTEGER NOT NULL  -- 1: by a person
) STRICT;
CREATE UNIQUE INDEX correction_claim ON correction (picture, model, truth, source);
CREATE INDEX correction_unreviewed ON correction (source) WHERE reviewed = 0;
)";

}  // namespace

StoredCorrection ReadCorrection(const SqliteQuery& row) {
  StoredCorrection correction;
  correction.id = row.Int(0);
  correction.model = row.Text(1);
  correction.version = row.Text(2);
  if (!row.IsNull(3)) correction.answered = row.Text(3);
  correction.truth = row.Text(4);
  correction.source = row.Text(5);
  correction.created = absl::FromUnixMicros(row.Int(6));
  correction.state = static_cast<CorrectionState>(row.Int(7));
  correction.agreeing_sources = static_cast<int>(row.Int(8));
  return correction;
}

absl::StatusOr<StoredCorrection> ReadOne(SqliteDatabase* database, int64_t id) {
  SqliteQuery query(database, "SELECT " DIGIT_CORRECTION_COLUMNS " FROM correction AS c WHERE c.id = ?");
  const bool found = query.Bind(id).Next();
  RETURN_IF_ERROR(query.status());
  if (!found) return absl::NotFoundError(absl::StrCat("no correction has the id ", id));
  return ReadCorrection(query);
}

absl::StatusOr<std::vector<StoredClaim>> ReadClaims(SqliteDatabase* database, int64_t picture,
                                                    const std::string& model) {
  SqliteQuery query(database,
                    "SELECT id, source, truth, state, reviewed FROM correction WHERE picture = ? AND model = ?");
  query.Bind(picture).Bind(model);
  std::vector<StoredClaim> claims;
  while (query.Next()) {
    claims.push_back(
        {query.Int(0), query.Text(1), {query.Text(2), static_cast<CorrectionState>(query.Int(3)), query.Int(4) != 0}});
  }
  RETURN_IF_ERROR(query.status());
  return claims;
}

// Lets `change` work on the claims, and writes those that it has changed.
absl::Status ChangeClaims(SqliteDatabase* database, const std::vector<StoredClaim>& stored,
                          absl::FunctionRef<void(std::vector<Claim>*)> change) {
  std::vector<Claim> claims;
  for (const StoredClaim& claim : stored) claims.push_back(claim.claim);
  change(&claims);
  for (size_t i = 0; i < claims.size(); ++i) {
    if (claims[i] == stored[i].claim) continue;
    SqliteQuery query(database, "UPDATE correction SET state = ?, reviewed = ? WHERE id = ?");
    query.Bind(static_cast<int64_t>(claims[i].state)).Bind(int64_t{claims[i].reviewed}).Bind(stored[i].id);
    RETURN_IF_ERROR(query.Finish());
  }
  return absl::OkStatus();
}

// The picture's id, made when it is new.
absl::StatusOr<int64_t> PictureId(SqliteDatabase* database, const std::string& pixels) {
  const std::string digest = absl::HexStringToBytes(Sha256Hex(pixels));
  {
    SqliteQuery query(database, "SELECT id FROM picture WHERE digest = ?");
    if (query.BindBytes(digest).Next()) return query.Int(0);
    RETURN_IF_ERROR(query.status());
  }
  SqliteQuery insert(database, "INSERT INTO picture (digest, pixels) VALUES (?, ?)");
  RETURN_IF_ERROR(insert.BindBytes(digest).BindBytes(pixels).Finish());
  return database->last_row_id();
}

absl::StatusOr<int64_t> Insert(SqliteDatabase* database, int64_t picture, const Correction& correction) {
  SqliteQuery query(database,
                    "INSERT INTO correction (picture, model, version, answered, truth, source, created, state, "
                    "reviewed) VALUES (?, ?, ?, ?, ?, ?, ?, 1, 0)");
  query.Bind(picture).Bind(correction.model).Bind(correction.version);
  if (correction.answered.has_value()) {
    query.Bind(*correction.answered);
  } else {
    query.BindNull();
  }
  query.Bind(correction.truth).Bind(correction.source).Bind(absl::ToUnixMicros(correction.created));
  RETURN_IF_ERROR(query.Finish());
  return database->last_row_id();
}

absl::Status Delete(SqliteDatabase* database, int64_t id) {
  SqliteQuery query(database, "DELETE FROM correction WHERE id = ?");
  return query.Bind(id).Finish();
}

// OK for an empty file and for one of ours.
absl::Status CheckKind(SqliteDatabase* database) {
  ASSIGN_OR_RETURN(const int64_t tables, database->Number("SELECT COUNT(*) FROM sqlite_schema"));
  if (tables == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int64_t application, database->Number("PRAGMA application_id"));
  if (application != kApplication) {
    return absl::FailedPreconditionError(absl::StrCat("'", database->path(), "' is a database of another program"));
  }
  ASSIGN_OR_RETURN(const int64_t schema, database->Number("PRAGMA user_version"));
  if (schema == kSchema) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("'", database->path(), "' has schema ", schema, " and this digitd knows ", kSchema,
                   ": a newer digitd has made it; use that one, or another --state-dir"));
}

absl::Status MakeTables(SqliteDatabase* database) {
  SqliteTransaction transaction(database);
  RETURN_IF_ERROR(transaction.Begin());
  ASSIGN_OR_RETURN(const int64_t tables, database->Number("SELECT COUNT(*) FROM sqlite_schema"));
  if (tables > 0) return absl::OkStatus();
  RETURN_IF_ERROR(database->Run(kMakeTables));
  RETURN_IF_ERROR(database->Run(absl::StrCat("PRAGMA user_version = ", kSchema)));
  RETURN_IF_ERROR(database->Run(absl::StrCat("PRAGMA application_id = ", kApplication)));
  return transaction.Commit();
}

absl::Status CheckPages(SqliteDatabase* database) {
  ASSIGN_OR_RETURN(const std::string found, database->Text("PRAGMA quick_check(1)"));
  return found == "ok" ? absl::OkStatus() : database->Damaged(found);
}

}  // namespace digit
