using System.Net;
using System.Net.Sockets;
using System.Text;

class Program
{
    static void Main()
    {
        var listener = new TcpListener(IPAddress.Any, 8080);
        listener.Start();
        while (true)
        {
            using (var client = listener.AcceptTcpClient())
            {
                var stream = client.GetStream();
                stream.Read(new byte[4096], 0, 4096);
                var page = "HTTP/1.0 200 OK\r\nContent-Length: 15\r\n\r\nhello from mono";
                var bytes = Encoding.ASCII.GetBytes(page);
                stream.Write(bytes, 0, bytes.Length);
            }
        }
    }
}
