#include "pipeline/nostr/nip42.h"

#include "pipeline/nostr/nip01.h"

namespace nostr {

Event auth_event(const SecretKey& key, const std::string& url, const std::string& challenge, base::TimeMs now,
                 const AuxRandom& aux) {
  Event event;
  event.pubkey = key.public_key();
  event.created_at = now.ms / 1000;
  event.kind = kAuthKind;
  event.tags = {{"relay", url}, {"challenge", challenge}};
  event.id = compute_id(event);
  event.sig = key.sign(event.id.view(), aux);
  return event;
}

}  // namespace nostr
