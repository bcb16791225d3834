import java.util.HexFormat;
import javax.smartcardio.Card;
import javax.smartcardio.CardChannel;
import javax.smartcardio.CardTerminal;
import javax.smartcardio.CommandAPDU;
import javax.smartcardio.ResponseAPDU;
import javax.smartcardio.TerminalFactory;

/** Reads a card through javax.smartcardio: the ATR, then an answer a line for each APDU given. */
public final class Debit {
    private Debit() {}

    public static void main(String[] args) throws Exception {
        HexFormat hex = HexFormat.of().withUpperCase();
        for (CardTerminal terminal : TerminalFactory.getDefault().terminals().list()) {
            if (!terminal.getName().equals(args[0])) {
                continue;
            }
            Card card = terminal.connect("T=0");
            try {
                System.out.println("atr " + hex.formatHex(card.getATR().getBytes()));
                CardChannel channel = card.getBasicChannel();
                for (int i = 1; i < args.length; i++) {
                    ResponseAPDU answer = channel.transmit(new CommandAPDU(hex.parseHex(args[i])));
                    System.out.println("answer " + hex.formatHex(answer.getBytes()));
                }
            } finally {
                card.disconnect(true);
            }
            return;
        }
        throw new IllegalArgumentException("no reader " + args[0]);
    }
}
