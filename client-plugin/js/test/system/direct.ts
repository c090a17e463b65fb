/** One end of a direct path and a bare RTCPeerConnection, in a page. */

import { DirectConnection } from "../../src/direct/connection.js";
import { readSdp, type Sdp } from "../../src/wire/signal/sdp.js";

/** Returns the sections of the answer to an offer that has media before its data channel, once the channel is open. */
export async function answerMedia(bundlePolicy: RTCBundlePolicy): Promise<string[]> {
  const partner = new RTCPeerConnection({ bundlePolicy });
  partner.addTransceiver("audio");
  partner.addTransceiver("video");
  const channel = partner.createDataChannel("any");
  const isOpen = new Promise((resolve) => (channel.onopen = resolve));
  const sections: string[] = [];
  const link = new DirectConnection(RTCPeerConnection, {}, (event) => {
    if (event.event === "gathered") void partner.addIceCandidate(event.candidate);
    if (event.event !== "described") return;
    for (const section of event.sdp.text.split(/^(?=m=)/m).slice(1)) {
      const isInactive = section.includes(" 9 ") && section.includes("a=inactive");
      sections.push(section.split(" ", 2).join(" ") + (isInactive ? " a=inactive" : ""));
    }
    void partner.setRemoteDescription({ type: "answer", sdp: event.sdp.text });
  });
  partner.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate) link.carryOut({ command: "add", candidate });
  };
  const offer = await partner.createOffer();
  await partner.setLocalDescription(offer);
  link.carryOut({ command: "answer", attempt: 1, sdp: readSdp(offer.sdp ?? "") as Sdp });
  await isOpen;
  link.close();
  partner.close();
  return sections;
}
