import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;

public class Jenkins {
    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(System.getenv("JENKINS_HOME"));
        byte[] page = ("jenkins " + System.getenv("JENKINS_VERSION")).getBytes();
        Files.write(home.resolve("version"), page);
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, page.length);
            exchange.getResponseBody().write(page);
            exchange.close();
        });
        server.start();
    }
}
