#include "pipeline/nostr/nip90_notice.h"

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_answer.h"

namespace nostr {

using base::Result;
using base::TextRef;
using core::Job;
using ledger::NoticePurpose;

Result<std::string> notice_json(const Job& job, const ledger::NoticeSigned& notice, const base::PublicKey& provider,
                                const TextReader& texts) {
  const auto read = [&](const TextRef& ref) { return ref.is_zero() ? Result<std::string>(std::string()) : texts(ref); };
  auto content = read(notice.content);
  if (!content) return tl::unexpected(content.error());
  const auto tags = read(notice.tags);
  if (!tags) return tl::unexpected(tags.error());
  const auto request = read(notice.purpose == NoticePurpose::result ? job.request->request : TextRef{});
  if (!request) return tl::unexpected(request.error());
  const auto event = rebuild_notice(notice, provider, std::move(*content), *tags, *request);
  if (!event) return tl::unexpected(event.error());
  return to_json(*event);
}

}  // namespace nostr
